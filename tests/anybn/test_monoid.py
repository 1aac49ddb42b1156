"""Moments are a monoid: however the data is cut and in whatever order the parts are merged, the moments are the same."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import anybn
from anybn import BadType, BadValue, Moments, RunningStats

EPS = np.finfo(np.float64).eps
VALUES = st.floats(-1e6, 1e6, width=32)


def rows(least):
    """One batch of two channels."""
    return st.integers(least, 6).flatmap(lambda n: hnp.arrays(np.float64, (n, 2), elements=VALUES))


def batches(least):
    """So many batches or more, any of them empty."""
    return st.lists(rows(0), min_size=least, max_size=8)


BATCHES = batches(1)
NOT_ALL_EMPTY = st.builds(lambda some, at, one: [*some[:at], one, *some[at:]], batches(0), st.integers(0, 8), rows(1))


def exact(parts):
    """Count, mean and m2 of all rows, in extended precision."""
    rows = np.concatenate(parts).astype(np.longdouble)
    if not len(rows):
        return 0, np.zeros(2), np.zeros(2)
    mean = rows.mean(0)
    return len(rows), mean, ((rows - mean) ** 2).sum(0)


def close(got, want, spread):
    """The same moments, to a few roundings of the data's size."""
    assert got.count == want[0]
    np.testing.assert_allclose(got.mean, want[1].astype(float), rtol=0, atol=32 * EPS * spread)
    np.testing.assert_allclose(
        got.m2, want[2].astype(float), rtol=32 * EPS, atol=32 * EPS * spread**2 * max(want[0], 1)
    )


def size_of(parts):
    return max((float(np.abs(part).max()) for part in parts if part.size), default=0.0)


@settings(deadline=None)
@given(BATCHES)
def test_merged_batches_are_the_whole(parts):
    """Merging the moments of the batches, empty ones too, gives the moments of all rows."""
    close(anybn.merge(*map(anybn.moments, parts)), exact(parts), size_of(parts))


@settings(deadline=None)
@given(batches(3))
def test_associative(parts):
    """(a + b) + c and a + (b + c) differ by rounding only."""
    a, b, c, *_ = map(anybn.moments, parts)
    left, right = anybn.merge(anybn.merge(a, b), c), anybn.merge(a, anybn.merge(b, c))
    close(left, right, size_of(parts))


@settings(deadline=None)
@given(batches(2))
def test_commutative(parts):
    """The order of two parts changes nothing but rounding."""
    a, b, *_ = map(anybn.moments, parts)
    close(anybn.merge(a, b), anybn.merge(b, a), size_of(parts))


@settings(deadline=None)
@given(BATCHES)
def test_neutral_element(parts):
    """Merging with the moments of nothing gives back the same numbers, on both sides, bit for bit."""
    some, none = anybn.moments(parts[0]), anybn.empty_moments(2, xp=np, dtype=np.float64)
    for got in (anybn.merge(some, none), anybn.merge(none, some)):
        assert got.count == some.count
        np.testing.assert_array_equal(got.mean, some.mean)
        np.testing.assert_array_equal(got.m2, some.m2)


@settings(deadline=None)
@given(NOT_ALL_EMPTY)
def test_recalibration_is_the_population(parts):
    """Recalibrated statistics are the mean and variance of all rows as one population."""
    count, mean, m2 = exact(parts)
    stats = anybn.recalibrate(parts)
    close(Moments(count, stats.mean, stats.var * count), (count, mean, m2), size_of(parts))
    assert stats.steps == len(parts)


def test_recalibration_is_not_the_mean_of_variances():
    """What varies between batches is variance of the population too, and a short batch counts less."""
    batches = [np.array([[0.0], [2.0], [4.0]]), np.array([[12.0]])]
    stats = anybn.recalibrate(batches)
    assert stats.mean == 4.5
    assert stats.var == np.var([0, 2, 4, 12])
    assert anybn.recalibrate(batches, correction=1).var == np.var([0, 2, 4, 12], ddof=1)


def test_recalibration_of_a_generator_with_masks():
    """A generator of moments, masked by the caller, is read once."""
    x = np.array([[1.0], [3.0], [100.0]])
    seen = np.array([True, True, False])
    stats = anybn.recalibrate(anybn.moments(x, mask=seen) for _ in range(3))
    assert (stats.mean, stats.var, stats.steps) == (2.0, 1.0, 3)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_weights_are_counts(rows, seed):
    """A row of weight k is k rows, also across merged parts; a channel without weight stays neutral."""
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 2, (rows, 2))
    times = rng.integers(0, 4, rows)
    cut = rng.integers(0, rows + 1)
    weights = times.astype(np.float64)
    parts = [anybn.moments(x[part], weights=weights[part]) for part in (slice(cut), slice(cut, rows)) if x[part].size]
    got, want = anybn.merge(*parts), anybn.moments(np.repeat(x, times, axis=0))
    np.testing.assert_allclose(np.broadcast_to(got.count, (2,)), want.count)
    np.testing.assert_allclose(got.mean, want.mean, rtol=1e-13)
    np.testing.assert_allclose(got.m2, want.m2, rtol=1e-12, atol=1e-13)


def test_a_side_without_weight_never_leaks():
    """A part whose mask leaves nothing does not pass its NaN on."""
    x = np.full((3, 2), np.nan)
    nothing = anybn.moments(x, mask=np.zeros(3, bool))._replace(mean=np.full(2, np.nan), m2=np.full(2, np.nan))
    some = anybn.moments(np.array([[1.0, 2.0], [3.0, 6.0]]), weights=np.ones(2))
    for got in (anybn.merge(nothing, some), anybn.merge(some, nothing)):
        np.testing.assert_array_equal(got.mean, [2, 4])
        np.testing.assert_array_equal(got.m2, [2, 8])


def test_many_float32_batches():
    """A thousand float32 batches with a large mean give the float64 result, rounded once."""
    rng = np.random.default_rng(1)
    rows = (rng.normal(size=(1000, 64, 3)) + 1e4).astype(np.float32)
    stats = anybn.recalibrate(iter(rows))
    wide = rows.astype(np.float64).reshape(-1, 3)
    np.testing.assert_allclose(stats.var, wide.var(0), rtol=6e-8)
    np.testing.assert_allclose(stats.mean, wide.mean(0), rtol=6e-8)
    assert stats.var.dtype == np.float32


def test_every_library(lib):
    """Merging and recalibrating work on every array library and stay in it."""
    rng = np.random.default_rng(2)
    x = rng.normal(1, 2, (9, 3, 4)).astype(np.float32)
    parts = [lib.array(part) for part in (x[:4], x[4:])]
    stats = anybn.recalibrate(parts)
    assert type(stats.mean) is type(parts[0])
    np.testing.assert_allclose(lib.numpy(stats.mean), x.mean((0, 2)), rtol=1e-5)
    np.testing.assert_allclose(lib.numpy(stats.var), x.var((0, 2)), rtol=1e-5)
    masked = [anybn.moments(part, mask=lib.array(np.arange(part.shape[0]) > 0, "bool")) for part in parts]
    both = np.concatenate([x[1:4], x[5:]])
    np.testing.assert_allclose(lib.numpy(anybn.variance(anybn.merge(*masked))), both.var((0, 2)), rtol=1e-5)


def test_recalibrated_statistics_evaluate():
    """The result is a state: evaluation by it normalises the whole population."""
    parts = list(np.random.default_rng(3).normal(5, 3, (4, 8, 2)))
    stats = anybn.recalibrate(parts)
    assert isinstance(stats, RunningStats)
    y, _ = anybn.batch_norm(np.concatenate(parts), None, stats, training=False, eps=0.0)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-12)


@pytest.mark.parametrize("count", [0, 1])
def test_variance_where_there_is_none(count):
    """One value has no unbiased variance: 0, not NaN."""
    one = anybn.moments(np.ones((count, 2)))
    np.testing.assert_array_equal(anybn.variance(one, correction=1), [0, 0])
    weighted = one._replace(count=np.full(2, float(count)))
    np.testing.assert_array_equal(anybn.variance(weighted, correction=1), [0, 0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (anybn.merge, BadValue, "nothing to merge: got no batch"),
        (lambda: anybn.merge(np.ones(3)), BadType, "these are no moments: got ndarray; expected Moments"),
        (lambda: anybn.merge(anybn.moments(np.ones((2, 3))), 1), BadType, "these are no moments: got int"),
        (
            lambda: anybn.merge(anybn.moments(np.ones((2, 3))), anybn.moments(np.ones((2, 4)))),
            BadValue,
            r"different channels: got shapes \(3,\) and \(4,\)",
        ),
        (lambda: anybn.recalibrate([]), BadValue, "recalibrate needs data: got no batch"),
        (lambda: anybn.recalibrate([np.ones((0, 3))]), BadValue, "1 batches without a single value"),
    ],
)
def test_refusals(call, error, message):
    """What cannot be merged says why."""
    with pytest.raises(error, match=message):
        call()


def test_merge_of_many_float32_parts():
    """Merged as a tree, a thousand parts round ten times, not a thousand times."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(1000, 64, 3)).astype(np.float32)
    total = anybn.merge(*map(anybn.moments, rows))
    np.testing.assert_allclose(anybn.variance(total), rows.astype(np.float64).reshape(-1, 3).var(0), rtol=1e-6)


def test_any_tree_gives_the_same():
    """All orders of four parts agree with each other."""
    rng = np.random.default_rng(4)
    parts = [anybn.moments(rng.normal(1e3, 1, (n, 1))) for n in (1, 2, 5, 30)]
    found = [anybn.merge(*order) for order in itertools.permutations(parts)]
    assert np.ptp([one.mean for one in found]) < 1e-12
    assert np.ptp([one.m2 for one in found]) < 1e-9
