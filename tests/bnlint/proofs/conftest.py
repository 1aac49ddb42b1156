"""Programs of the proofs, linted as they stand and run under the real framework."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from bnlint.examples import found_in, repaired
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
def fixed():
    """What the fixes of a rule make of a program."""

    def repair(name, code):
        text = (PROGRAMS / f"{name}.py").read_text("utf-8")
        return repaired({f"{name}.py": text}, RULES, code)[0][f"{name}.py"]

    return repair


@pytest.fixture(scope="session")
def programs():
    """Texts of the programs by name."""
    return lambda name: (PROGRAMS / f"{name}.py").read_text("utf-8")


@pytest.fixture(scope="session")
def tf1_measures():
    """What every graph program measured, by its name. One process runs them all: starting TensorFlow takes seconds."""
    for library in ("tensorflow", "tf_keras", "tf_slim"):
        pytest.importorskip(library)
    programs = [str(PROGRAMS / f"{name}_{kind}.py") for name in TF1 for kind in ("bad", "good")]
    programs += [str(PROGRAMS / f"{name}_fixed.py") for name in ("bn302", "bn310")]
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


@pytest.fixture(scope="session")
def measure_torch():
    """Runs a PyTorch program in this process and gives what its ``measure()`` found."""
    pytest.importorskip("torch")

    def measure(name):
        return runpy.run_path(str(PROGRAMS / f"{name}.py"))["measure"]()

    return measure


JAX = ("bn112", "bn204", "bn311", "bn311_haiku", "bn311_equinox", "bn311_nnx")
KERAS = ("bn202", "bn203", "bn207", "bn313", "bn401_keras")
LEGACY = ("bn110", "bn203", "bn313")
TORCH = ("bn401_torch", "bn402")


def measured(names, *options):
    """What the function ``measure`` of each program gives; one process for all of them."""
    programs = [str(PROGRAMS / f"{name}_{kind}.py") for name in names for kind in ("bad", "good")]
    settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow"}
    if "--legacy" in options:
        settings["TF_USE_LEGACY_KERAS"] = "1"
    command = [sys.executable, str(HERE / "run_measures.py"), *options, *programs]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith(("PROGRAM ", "MEASURED "))]
    texts = zip(lines[::2], lines[1::2], strict=True)
    return {name.split()[1]: json.loads(found.removeprefix("MEASURED ")) for name, found in texts}


@pytest.fixture(scope="session")
def jax_measures():
    """Measures of the Flax, Haiku and Equinox programs."""
    for library in ("jax", "flax", "haiku", "equinox", "optax"):
        pytest.importorskip(library)
    return measured(JAX)


@pytest.fixture(scope="session")
def keras_measures():
    """Measures of the Keras programs under Keras 3."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("keras", minversion="3")
    return measured(KERAS)


@pytest.fixture(scope="session")
def keras2_measures():
    """Measures of the Keras programs under Keras 2."""
    pytest.importorskip("tf_keras")
    return measured(LEGACY, "--legacy")


@pytest.fixture(scope="session")
def torch_measures():
    """Measures of the PyTorch programs that only need one layer."""
    pytest.importorskip("torch")
    return measured(TORCH)
