"""K processes with uneven shards compute what one process computes on the whole batch, on engines run for real."""

import re
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy")

from processes import HERE, TOLERANCE, close, environment, mpi, run, run_gloo, start_gloo  # noqa: E402 - needs NumPy
from workload import CASES, work  # noqa: E402

import anybn  # noqa: E402


def compare(parts: list[dict[str, np.ndarray]], size: int) -> None:
    """Compare the processes' results with one process on the whole batch."""
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


@pytest.mark.parametrize("size", [2, 4])
def test_gloo_processes_compute_what_one_process_does(tmp_path, size):
    """y, gradients and running statistics; shards of 6, 0, 1 and 9 samples; plain, with masked and with weighted NaN rows."""
    compare(run_gloo("engine_gloo.py", size, tmp_path), size)


@pytest.mark.parametrize("what", ["channels", "dtype", "later", "missing", "killed", "killed_before_backward"])
def test_processes_that_disagree_are_told_so(tmp_path, what):
    """Another number of channels or dtype, a process that never comes or is killed: a sentence within the time limit."""
    processes = start_gloo("engine_disagree.py", 2, tmp_path, what)
    answers = [process.communicate(timeout=90) for process in processes]
    assert processes[0].returncode == 3, answers
    assert answers[0][0].startswith("SyncError")
    assert "expected" in answers[0][0]
    if what in {"channels", "dtype"}:
        told = {"channels": ("3 channels", "4 channels"), "dtype": ("float32", "float64")}[what]
        assert all(word in answer for answer, _ in answers for word in ("rank 0", "rank 1", *told))


def test_mpi_ranks_compute_what_one_process_does(tmp_path):
    """Four ranks, NumPy arrays in place, explicit backward pass; one message in each direction; all floating-point types."""
    run(mpi(4, "engine_mpi.py", str(tmp_path)))
    parts = [dict(np.load(tmp_path / f"{rank}.npz")) for rank in range(4)]
    compare(parts, 4)
    assert [int(part["messages"]) for part in parts] == [2] * 4
    for part in parts:
        assert {name: float(part[name]) for name in ("float16", "bfloat16", "float64")} == pytest.approx(
            {"float16": 0.0, "bfloat16": 0.0, "float64": 0.0}, abs=1e-12
        )


@pytest.mark.parametrize("what", ["channels", "dtype", "later", "weights", "raises", "gone", "missing"])
def test_mpi_ranks_that_disagree_or_fail_end_all(what):
    """Another size or dtype, weights in one rank only, an exception, a killed or an absent rank: none waits for ever, none goes on."""
    done = subprocess.run(
        mpi(2, "engine_mpi_disagree.py", what),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=environment(),
    )
    assert done.returncode != 0
    assert "went on" not in done.stdout
    told = {"raises": "no more data", "gone": "", "missing": "within 4 s"}.get(what, "SyncError")
    assert told in done.stderr + done.stdout


def test_jax_devices_compute_what_one_device_does(tmp_path):
    """shard_map (checked or not) and pmap over four virtual CPU devices, the first without any sample that counts.

    Inside jit, differentiated by JAX and by the explicit backward pass; one collective in each direction.
    """
    pytest.importorskip("jax")
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    run([sys.executable, str(HERE / "engine_jax.py"), str(tmp_path / "jax.npz")], **flags)
    found = dict(np.load(tmp_path / "jax.npz"))
    programs = {name: str(found.pop(name)) for name in [*found] if name.startswith("program")}
    assert len(found) == (3 + 2) * 3 * 5
    for name, difference in found.items():
        assert difference <= TOLERANCE, name
    collective = re.compile(r"\s(all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute)(?:-start)?\(")
    seen = {name: collective.findall(text) for name, text in programs.items()}
    assert seen == {
        "program-checked-forward": ["all-gather"],
        "program-checked-backward": ["all-gather", "all-reduce"],
        "program-unchecked-forward": ["all-gather"],
        "program-unchecked-backward": ["all-gather", "reduce-scatter"],
    }


def test_jax_vmap_axis_is_an_engine_too():
    """The simplest shards: a named vmap axis; weights, and the explicit backward pass, which moves no NaN of padding."""
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp

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


def test_a_jax_axis_that_does_not_exist_is_named():
    """Outside of a transformation there is nobody to merge with."""
    pytest.importorskip("jax")
    import jax.numpy as jnp

    from anybn.sync.jax import Across

    with pytest.raises(anybn.SyncError, match=r"axis_name 'nobody'.*try jax\.vmap"):
        anybn.batch_norm(jnp.ones((4, 3)), training=True, reduce=Across("nobody"))
