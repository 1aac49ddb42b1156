"""Starting the programs of this folder on their engines, several processes at a time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
TOLERANCE = 1e-6


def environment(**more: str) -> dict[str, str]:
    """One thread each: the processes share two cores."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
        **more,
    }


def run(command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must end well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environment(**more))
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def mpi(ranks: int, script: str, *more: str) -> list[str]:
    """Command of an MPI program of this folder."""
    pytest.importorskip("mpi4py")
    mpirun = shutil.which(
        "mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )
    assert mpirun is not None, "mpi4py is installed, mpirun is not"
    return [mpirun, "-n", str(ranks), sys.executable, "-m", "mpi4py", str(HERE / script), *more]


def start_gloo(script: str, size: int, folder: Path, *more: str) -> list[subprocess.Popen[str]]:
    """Start every process of a gloo program."""
    pytest.importorskip("torch")
    return [
        subprocess.Popen(
            [sys.executable, str(HERE / script), str(rank), str(size), str(folder / "store"), *more],
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(size)
    ]  # fmt: skip


def run_gloo(script: str, size: int, folder: Path) -> list[dict[str, np.ndarray]]:
    """Run a gloo program that must end well; return what each process has found."""
    processes = start_gloo(script, size, folder, str(folder))
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * size, "\n".join(errors)[-3000:]
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(size)]


def close(many, one, tolerance: float = TOLERANCE) -> None:
    """Equal to 1e-6 of the larger of 1 and the largest value."""
    assert many.shape == one.shape
    assert np.isfinite(many).all()
    assert np.abs(many - one).max(initial=0.0) <= tolerance * max(1.0, np.abs(one).max(initial=0.0))
