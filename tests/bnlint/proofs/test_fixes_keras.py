"""What the repairs of BN203, BN301 and BN313 make of the proofs' mistaken programs, run under Keras 3 and graph TensorFlow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.proof
HERE = Path(__file__).parent


def _measures(script, text, folder, settings):
    """What the program measures when it is run alone by one of the scripts beside this file."""
    program = folder / "repaired.py"
    program.write_text(text, "utf-8")
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(HERE / "programs")}
    command = [sys.executable, str(HERE / script), str(program)]
    done = subprocess.run(command, env={**os.environ, **quiet, **settings}, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("MEASURED ")]
    return json.loads(lines[-1].removeprefix("MEASURED "))


@pytest.mark.parametrize(
    ("rule", "learned"), [("bn203", {"moved": 1}), ("bn313", {"weights": 0.01, "statistics": 0.1})]
)
def test_the_repaired_keras_program_learns(rule, learned, fixed, tmp_path):
    """The statistics that did not move in the mistaken program move in what the repair makes of it."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("keras", minversion="3")
    found = _measures("run_measures.py", fixed(f"{rule}_bad", rule.upper()), tmp_path, {"KERAS_BACKEND": "tensorflow"})
    assert all(found[name] > least for name, least in learned.items())


def test_the_repaired_train_op_runs_the_updates(fixed, tmp_path):
    """As in the corrected program the averages move and evaluation is right."""
    for library in ("tensorflow", "tf_keras", "tf_slim"):
        pytest.importorskip(library)
    found = _measures("run_tf1.py", fixed("bn301_bad", "BN301"), tmp_path, {"TF_USE_LEGACY_KERAS": "1"})
    assert found["mean"] > 1
    assert found["variance"] > 1
    assert found["accuracy"] > 0.95
