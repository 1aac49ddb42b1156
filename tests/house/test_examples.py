"""Each bundled program runs, its mistake does the harm that examples/README.md tells, and the repair ends it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
# program, what it needs, the printed measure, and a bound that the wrong program misses and the repaired one keeps
PROGRAMS = [
    ("tf1_update_ops.py", ("tensorflow", "tf_keras"), r"accuracy in evaluation: ([\d.]+)", 0.8),
    ("tf1_wrapper/train.py", ("tensorflow", "tf_keras"), r"error in evaluation: ([\d.]+)", -0.2),
    ("keras_custom_loop.py", ("tensorflow", "keras"), r"accuracy in evaluation: ([\d.]+)", 0.8),
    ("torch_eval.py", ("torch", "numpy"), r"accuracy in evaluation: ([\d.]+)", 0.8),
    ("torch_momentum.py", ("torch", "numpy"), r"checkpoints from ([\d.]+)", 0.85),
    ("flax_updates.py", ("flax", "optax"), r"accuracy in evaluation: ([\d.]+)", 0.8),
]
IDS = [program for program, *_ in PROGRAMS]


def measure(path, pattern):
    """The number that a program prints."""
    env = os.environ | {
        "OMP_NUM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "tensorflow",
    }
    done = subprocess.run(
        [sys.executable, path.name], cwd=path.parent, env=env, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return float(re.search(pattern, done.stdout).group(1))


@pytest.mark.proof
@pytest.mark.parametrize(("program", "needs", "pattern", "bound"), PROGRAMS, ids=IDS)
def test_mistake_does_harm_and_repair_ends_it(program, needs, pattern, bound):
    """The program with the mistake is bad when evaluated, its twin is good (a negative bound: smaller is better)."""
    for name in needs:
        pytest.importorskip(name)
    sign = 1 if bound > 0 else -1
    wrong, repaired = (sign * measure(folder / program, pattern) for folder in (EXAMPLES, EXAMPLES / "fixed"))
    assert wrong < bound < repaired


def test_every_program_has_a_twin():
    """examples/ and examples/fixed/ hold the same programs, and all programs are tested here."""
    twins = {p.relative_to(EXAMPLES / "fixed").as_posix() for p in (EXAMPLES / "fixed").rglob("*.py")}
    files = [path.relative_to(EXAMPLES) for path in EXAMPLES.rglob("*.py")]
    programs = {path.as_posix() for path in files if path.parts[0] not in {"fixed", "distributed", "tutorial"}}
    assert programs == twins
    assert {program for program, *_ in PROGRAMS} == {p for p in programs if not p.endswith("blocks.py")}


def test_twins_differ_by_the_repair_alone():
    """At most six lines are new in a repaired program, its docstring's first line included."""
    for program in IDS:
        wrong, repaired = (
            (folder / program).read_text("utf-8").splitlines() for folder in (EXAMPLES, EXAMPLES / "fixed")
        )
        assert 0 < len(set(repaired) - set(wrong)) <= 6
