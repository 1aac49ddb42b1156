"""Programs of the proofs, linted as they stand and run under the real framework."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bnlint.examples import found_in
from bnlint.rules.table import RULES

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
TF1 = ("bn111", "bn201", "bn208", "bn301", "bn301_slim", "bn302", "bn302_early", "bn303", "bn308", "bn309", "bn310")


@pytest.fixture(scope="session")
def codes_of():
    """Codes of the rules that fire on a program's own text."""

    def codes(name):
        text = (PROGRAMS / f"{name}.py").read_text("utf-8")
        return {code for _, _, code in found_in({f"{name}.py": text}, RULES)}

    return codes


@pytest.fixture(scope="session")
def tf1_measures():
    """What every graph program measured, by its name. One process runs them all: starting TensorFlow takes seconds."""
    for library in ("tensorflow", "tf_keras", "tf_slim"):
        pytest.importorskip(library)
    programs = [str(PROGRAMS / f"{name}_{kind}.py") for name in TF1 for kind in ("bad", "good")]
    settings = {
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": str(PROGRAMS),
    }
    command = [sys.executable, str(HERE / "run_tf1.py"), *programs]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    found, name = {}, ""
    for line in done.stdout.splitlines():
        if line.startswith("PROGRAM "):
            name = line.split()[1]
        elif line.startswith("MEASURED "):
            found[name] = json.loads(line.removeprefix("MEASURED "))
    return found
