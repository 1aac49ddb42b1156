"""Population statistics of arrays larger than memory, in one pass, also when a worker dies in the middle."""

import os
import signal
import threading
import time
import tracemalloc

import pytest

np = pytest.importorskip("numpy")
da = pytest.importorskip("dask.array")
import dask  # noqa: E402 - after the skip

import anybn  # noqa: E402 - only where its arrays can be had
from anybn.sync.dask import moments, recalibrate  # noqa: E402


def whole(x, axis):
    """Mean and variance in float64, by NumPy, of everything at once."""
    data = np.asarray(x, dtype=np.float64)
    others = tuple(i for i in range(data.ndim) if i not in axis)
    return data.mean(axis=others), data.var(axis=others)


@pytest.mark.parametrize(
    ("chunks", "axis"),
    [
        ((100, 3, 8), (1,)),
        ((7, 2, 3), (1,)),
        ((1000, 1, 8), (1,)),
        ((13, 3, 5), (2,)),
        ((50, 2, 4), (1, 2)),
        ((50, 2, 4), (0,)),
    ],
)
def test_any_chunks_and_any_channel_axes(chunks, axis):
    """How the array is cut has no influence, also along the channels."""
    x = da.random.default_rng(0).normal(5, 2, (300, 3, 8), chunks=chunks)
    stats = recalibrate(x, axis=axis)
    mean, var = whole(x, axis)
    np.testing.assert_allclose(stats.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(stats.var, var, rtol=1e-12)


def test_nothing_is_computed_before_it_is_asked_for():
    """Moments stay lazy."""

    def never(block):
        raise AssertionError

    x = da.ones((8, 3), chunks=(2, 3)).map_blocks(never, dtype=np.float64)
    found = moments(x)
    assert all(isinstance(part, da.Array) for part in found)


def test_every_chunk_is_read_once():
    """One pass: the data may come from disk or a network."""
    reads = []
    lock = threading.Lock()

    def counted(block, block_id=None):
        with lock:
            reads.append(block_id)
        return block

    x = (
        da.random.default_rng(1)
        .normal(size=(64, 3), chunks=(8, 3))
        .map_blocks(counted, dtype=np.float64, meta=np.empty((0, 0)))
    )
    recalibrate(x)
    assert len(reads) == 8


def test_chunks_of_unknown_length_count_what_they_hold():
    """After a boolean selection nobody knows the lengths; some chunks may hold nothing."""
    x = da.random.default_rng(2).normal(3, 1, (500, 4), chunks=(5, 4))
    some = x[x[:, 0] > 4]
    mean, var = whole(some.compute(), (1,))
    stats = recalibrate(some)
    np.testing.assert_allclose(stats.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(stats.var, var, rtol=1e-11)


def test_half_precision_storage_is_computed_in_float64():
    """float16 sums overflow at 65504 and stop growing long before."""
    x = da.random.default_rng(3).normal(300, 1, (20_000, 2), chunks=(1000, 2)).astype(np.float16)
    stats = recalibrate(x)
    mean, var = whole(x.compute(), (1,))
    assert stats.mean.dtype == np.float32
    np.testing.assert_allclose(stats.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(stats.var, var, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.ones((4, 3)), "not a Dask array: got numpy"),
        (da.ones((4, 3), dtype=np.int64), "dtype int64"),
        (da.ones((4, 3), dtype=np.complex64), "dtype complex64"),
    ],
)
def test_what_is_no_floating_point_dask_array_is_refused(x, said):
    """An imaginary part is not dropped, and an array of NumPy is not asked for its chunks."""
    with pytest.raises(anybn.BadType, match=said):
        recalibrate(x)


def test_memory_is_that_of_a_chunk():
    """Measured: an array of 128 MB in chunks of 4 MB never holds three of them; in float16, not four times one."""
    for dtype, chunk, limit in ((np.float64, 8192, 3), (np.float16, 131072, 4)):
        x = da.map_blocks(
            lambda block_id=None, n=chunk, dtype=dtype: np.full((n, 64), block_id[0], dtype=dtype),
            chunks=((chunk,) * (128_000_000 // (chunk * 64 * np.dtype(dtype).itemsize)), (64,)), dtype=dtype,
            meta=np.empty((0, 0), dtype),
        )  # fmt: skip
        tracemalloc.start()
        stats = recalibrate_alone(x)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert stats.mean[0] == (x.numblocks[0] - 1) / 2
        assert peak < limit * chunk * 64 * np.dtype(dtype).itemsize


def recalibrate_alone(x):
    """On one thread: what one worker holds."""
    with dask.config.set(scheduler="synchronous"):
        return recalibrate(x)


def test_no_value_at_all_is_an_error():
    """Statistics of nothing would be zeros that look like data."""
    x = da.ones((6, 2), chunks=(2, 2))
    with pytest.raises(anybn.AnybnError, match="recalibrate needs data"):
        recalibrate(x[x[:, 0] > 5])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_larger_than_memory_on_a_cluster_that_loses_a_worker(tmp_path):
    """Two workers of 400 MB, an array of 1 GB, one worker killed in the middle: the result of an undisturbed run."""
    distributed = pytest.importorskip("distributed")
    x = da.random.default_rng(4).normal(7, 3, (240_000, 8, 64), chunks=(5_000, 8, 64)).astype(np.float64)
    assert x.nbytes == 983_040_000
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit="400MB", processes=True, dashboard_address=None,
            local_directory=str(tmp_path),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        calm = recalibrate(x)
        victim = next(iter(client.run(os.getpid).values()))
        killer = threading.Timer(1.0, os.kill, (victim, signal.SIGKILL))
        killer.start()
        started = time.monotonic()
        disturbed = recalibrate(x)
        assert time.monotonic() - started > 1.0, "the worker was killed after the end"
    np.testing.assert_allclose(disturbed.mean, calm.mean, rtol=1e-14)
    np.testing.assert_allclose(disturbed.var, calm.var, rtol=1e-13)
    np.testing.assert_allclose(calm.mean, 7, atol=2e-3)
    np.testing.assert_allclose(calm.var, 9, rtol=1e-3)
