"""The data-parallel example programs have the losses of one process, step for step."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")

PROGRAMS = Path(__file__).parents[3] / "examples" / "distributed"


def losses(command: list[str]) -> list[float]:
    """The losses that a program prints."""
    path = os.pathsep.join([str(PROGRAMS), *filter(None, sys.path)])
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=settings)
    assert done.returncode == 0, done.stderr[-3000:]
    return [float(line) for line in done.stdout.split()]


def mpi(processes: int) -> list[str]:
    """The NumPy program under mpirun."""
    pytest.importorskip("mpi4py")
    mpirun = shutil.which(
        "mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )
    assert mpirun is not None, "mpi4py is installed, mpirun is not"
    return [mpirun, "-n", str(processes), sys.executable, "-m", "mpi4py", str(PROGRAMS / "numpy_mpi.py")]


def gloo(processes: int) -> list[str]:
    """The torch program."""
    pytest.importorskip("torch")
    return [sys.executable, str(PROGRAMS / "torch_gloo.py"), str(processes)]


def devices(count: int) -> list[str]:
    """The JAX program."""
    pytest.importorskip("jax")
    return [sys.executable, str(PROGRAMS / "jax_devices.py"), str(count)]


@pytest.mark.parametrize("program", [mpi, gloo, devices])
def test_four_processes_train_as_one_does(program):
    """Uneven shards, sixty steps: the same losses to five digits, and they fall."""
    one, four = losses(program(1)), losses(program(4))
    assert len(one) == 60
    assert one[-1] < 0.1
    assert one[0] > 0.5
    np.testing.assert_allclose(four, one, atol=2e-5)
