"""K processes with uneven shards compute what one process computes on the whole batch, on engines run for real."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")

HERE = Path(__file__).parent
TOLERANCE = 1e-6


@pytest.fixture(autouse=True)
def _workload_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def environment(**more: str) -> dict[str, str]:
    """One thread each: the processes share two cores."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
        **more,
    }


def run(command: list[str], **options) -> subprocess.CompletedProcess[str]:
    """Run a command that must end well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, **options)
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
    return [
        subprocess.Popen(
            [sys.executable, str(HERE / script), str(rank), str(size), str(folder / "store"), *more],
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(size)
    ]  # fmt: skip


def compare(folder: Path, size: int) -> None:
    """Compare the processes' files with one process on the whole batch, in float64-checked NumPy."""
    from workload import CASES, work

    import anybn

    parts = [np.load(folder / f"{rank}.npz") for rank in range(size)]
    for channels, extra in CASES:
        todo = work(size, channels, extra)
        params = anybn.Params(todo.scale, todo.offset)
        state = anybn.RunningStats(np.zeros(channels, np.float32), np.ones(channels, np.float32))
        y, new = anybn.batch_norm(todo.x, params, state, training=True, **todo.options)
        back = anybn.batch_norm_backward(todo.dy, todo.x, params, state, training=True, **todo.options)

        def joined(name, key=f"{channels}-{extra}"):
            return np.concatenate([part[f"{key}-{name}"] for part in parts])

        def added(name, key=f"{channels}-{extra}"):
            return sum(part[f"{key}-{name}"] for part in parts)

        close(joined("y"), y)
        close(joined("dx"), back.x)
        if f"{channels}-{extra}-explicit" in parts[0]:
            close(joined("explicit"), back.x)
        close(added("dscale"), back.scale)
        close(added("doffset"), back.offset)
        for part in parts:
            close(part[f"{channels}-{extra}-mean"], new.mean)
            close(part[f"{channels}-{extra}-var"], new.var)


def close(many, one) -> None:
    """Equal to 1e-6 of the larger of 1 and the largest value."""
    assert many.shape == one.shape
    assert np.isfinite(many).all()
    assert np.abs(many - one).max(initial=0.0) <= TOLERANCE * max(1.0, np.abs(one).max(initial=0.0))


@pytest.mark.parametrize("size", [2, 4])
def test_gloo_processes_compute_what_one_process_does(tmp_path, size):
    """y, gradients and running statistics; shards of 6, 0, 1 and 9 samples; plain, with masked and with weighted NaN rows."""
    pytest.importorskip("torch")
    processes = start_gloo("engine_gloo.py", size, tmp_path, str(tmp_path))
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * size, "\n".join(errors)[-3000:]
    compare(tmp_path, size)


@pytest.mark.parametrize("what", ["channels", "later", "missing"])
def test_processes_that_disagree_are_told_so(tmp_path, what):
    """Another number of channels, a lost process: a sentence within the time limit, no hang."""
    pytest.importorskip("torch")
    processes = start_gloo("engine_disagree.py", 2, tmp_path, what)
    answers = [process.communicate(timeout=60) for process in processes]
    assert processes[0].returncode == 3, answers
    assert answers[0][0].startswith("SyncError")
    assert "expected" in answers[0][0]


def test_mpi_ranks_compute_what_one_process_does(tmp_path):
    """Four ranks, NumPy arrays in place, explicit backward pass; one message in each direction."""
    run(mpi(4, "engine_mpi.py", str(tmp_path)), env=environment())
    compare(tmp_path, 4)
    assert [int(np.load(tmp_path / f"{rank}.npz")["messages"]) for rank in range(4)] == [2] * 4


@pytest.mark.parametrize("what", ["channels", "later", "weights", "raises", "gone"])
def test_mpi_ranks_that_disagree_or_fail_end_all(what):
    """Another size, weights in one rank only, an exception, a killed rank: no rank waits for ever, none goes on."""
    done = subprocess.run(
        mpi(2, "engine_mpi_disagree.py", what),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    assert done.returncode != 0
    assert "went on" not in done.stdout
    told = {"raises": "no more data", "gone": ""}.get(what, "SyncError")
    assert told in done.stderr + done.stdout


def test_jax_devices_compute_what_one_device_does(tmp_path):
    """shard_map over four virtual CPU devices, the first without any sample that counts; differentiated by JAX."""
    pytest.importorskip("jax")
    flags = environment(XLA_FLAGS="--xla_force_host_platform_device_count=4", JAX_PLATFORMS="cpu")
    run([sys.executable, str(HERE / "engine_jax.py"), str(tmp_path / "jax.npz")], env=flags)
    for name, difference in np.load(tmp_path / "jax.npz").items():
        assert difference <= TOLERANCE, name


def test_jax_vmap_axis_is_an_engine_too():
    """The simplest shards: a named vmap axis; weights, and the explicit backward pass, which moves no NaN of padding."""
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp

    import anybn
    from anybn.sync.jax import Across

    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((4, 5, 3)).astype(np.float32) for _ in range(2))
    weights = (rng.uniform(0.5, 3, (4, 5)) * (np.arange(20).reshape(4, 5) > 6)).astype(np.float32)
    x[weights == 0] = np.nan
    parts = [jnp.asarray(one) for one in (dy, x, weights)]
    wholes = [jnp.reshape(one, (20, *one.shape[2:])) for one in parts]

    def both(dy, x, weights, reduce=None):
        options = {"training": True, "weights": weights, "reduce": reduce}
        return anybn.batch_norm(x, **options)[0], anybn.batch_norm_backward(dy, x, **options).x

    many = jax.vmap(lambda *part: both(*part, reduce=Across("k")), axis_name="k")(*parts)
    for shards, one in zip(many, both(*wholes), strict=True):
        close(np.asarray(jnp.reshape(shards, (20, 3))), np.asarray(one))
