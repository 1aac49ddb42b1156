"""The README's first command: `bnlint examples/` finds the mistake of each bundled program, and none in the repaired twins."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
MISTAKES = {
    "tf1_update_ops.py": ("BN301",),
    "tf1_wrapper/train.py": ("BN201", "BN201"),  # both calls of the wrapper in blocks.py
    "keras_custom_loop.py": ("BN202",),
    "torch_eval.py": ("BN101", "BN103"),  # the call that is none, and what follows from it
    "torch_momentum.py": ("BN401",),
    "flax_updates.py": ("BN311",),
    "tutorial/engine.py": ("BN101",),
    "tutorial/net.py": ("BN401",),
    "tutorial/predict.py": ("BN101", "BN103"),
}


def lint(*arguments):
    """Run the command line in examples/; return the exit code and the (file, code) pairs it reports."""
    command = [sys.executable, "-m", "bnlint", "--format", "json", *arguments]
    done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    findings = json.loads(done.stdout)["findings"]
    return done.returncode, sorted((finding["path"], finding["code"]) for finding in findings)


def test_each_program_has_its_finding():
    """Exit code 1, and exactly the mistakes that examples/README.md lists; the repaired twins in fixed/ are silent."""
    assert lint(".") == (1, sorted((program, code) for program, codes in MISTAKES.items() for code in codes))


def test_repaired_programs_are_clean():
    """Exit code 0 on the twins."""
    assert lint("fixed") == (0, [])


@pytest.mark.parametrize(("program", "codes"), MISTAKES.items(), ids=MISTAKES)
def test_one_file_alone_is_enough(program, codes):
    """Handed one file, as pre-commit does, the linter reports that file's finding and knows the files around it."""
    assert lint(program) == (1, [(program, code) for code in codes])


def test_the_readme_shows_what_is_printed():
    """The report in the README is, word for word, what the linter prints for that program."""
    command = [sys.executable, "-m", "bnlint", "examples/tf1_update_ops.py"]
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, check=False, timeout=120)
    readme = (EXAMPLES.parent / "README.md").read_text("utf-8")
    assert f"```text\n{done.stdout.strip()}\n```\n" in readme
