"""Population statistics of any iterable, with a progress bar, and as a map-reduce of other engines."""

import sys
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

np = pytest.importorskip("numpy")

import anybn  # noqa: E402 - only where its arrays can be had


def batches():
    """Uneven batches with their own means."""
    rng = np.random.default_rng(0)
    return [rng.normal(size, 1, (size, 3)).astype(np.float32) for size in (9, 1, 30, 4)]


def test_a_bar_counts_the_batches_and_changes_nothing(capsys):
    """The bar knows the end of a list, and the statistics are those without it."""
    pytest.importorskip("tqdm")
    plain, shown = anybn.recalibrate(batches()), anybn.recalibrate(batches(), progress=True)
    assert "4/4" in capsys.readouterr().err
    np.testing.assert_array_equal(shown.mean, plain.mean)
    np.testing.assert_array_equal(shown.var, plain.var)


def test_a_bar_of_a_stream_has_no_end(capsys):
    """An iterator without a length is counted all the same."""
    pytest.importorskip("tqdm")
    assert anybn.recalibrate(iter(batches()), progress=True).steps == 4
    assert "4 batches" in capsys.readouterr().err


@pytest.mark.parametrize("one", [np.ones((4, 3), np.float32), anybn.moments(np.ones((4, 3))), 3.0])
def test_one_array_is_no_iterable_of_batches(one):
    """Its rows would be taken for batches, with the channels of another axis, and no error."""
    with pytest.raises(anybn.BadType, match=r"expected a list, .*try \[x\]"):
        anybn.recalibrate(one)


def test_memory_is_that_of_a_batch_however_many_there_are():
    """Measured: 64 batches need no more than 8 do."""

    def peak(number):
        tracemalloc.start()
        anybn.recalibrate(np.random.default_rng(k).normal(size=(4096, 16)).astype(np.float32) for k in range(number))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1)
    assert peak(64) < 1.1 * peak(8)


def test_without_the_package_the_error_names_it(monkeypatch):
    """None in sys.modules is how Python itself says that an import fails."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(anybn.MissingDependency, match="anybn\\[progress\\]"):
        anybn.recalibrate(batches(), progress=True)


def test_moments_are_the_value_of_a_map_reduce():
    """Map in other processes, which pickle the moments; reduce in any order: the population's statistics."""
    data = [batch.astype(np.float64) for batch in batches()]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(partial(anybn.moments, axis=1), data))
    whole = np.concatenate(data)
    for order in (parts, parts[::-1]):
        stats = anybn.recalibrate(order)
        np.testing.assert_allclose(stats.mean, whole.mean(0), rtol=1e-13)
        np.testing.assert_allclose(stats.var, whole.var(0), rtol=1e-13)
