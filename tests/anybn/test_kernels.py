"""Each row of the kernel table agrees with the portable maths in float64, whatever the shape, the strides and the values."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import anybn
from anybn import Moments, Params
from anybn.core.backward import through_batch, through_statistics
from anybn.kernels import use
from anybn.kernels.base import Kernel, Request
from anybn.kernels.numba_cpu import NUMBA
from anybn.kernels.portable import PORTABLE
from anybn.kernels.torch_cpu import TORCH_CPU
from anybn.plan import plan

pytest.importorskip("numba")
EPS = 1e-5
ROUNDING = {"float16": 2.0**-11, "float32": 2.0**-24, "float64": 2.0**-53}


@dataclass(frozen=True)
class Case:
    """An input, its axis and what is done with it."""

    x: np.ndarray
    dy: np.ndarray
    axis: int
    params: Params


@st.composite
def views(draw, shape, rng):
    """An array of this shape: packed, stepped over, backwards, transposed in memory, or broadcast."""
    how = draw(st.sampled_from(["packed", "fortran", "steps", "backwards", "swapped", "broadcast"]))
    if how == "steps":
        big = rng.normal(size=[2 * n for n in shape])
        return big[tuple(slice(None, None, 2) for _ in shape)]
    x = rng.normal(size=shape)
    if how == "fortran":
        return np.asfortranarray(x)
    if how == "backwards":
        return x[tuple(slice(None, None, -1) for _ in shape)]
    if how == "swapped":
        order = draw(st.permutations(range(len(shape))))
        return np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
    if how == "broadcast" and shape[0] > 1:
        return np.broadcast_to(x[:1], shape)
    return x


def like(x, dtype):
    """x in this dtype, its strides (zeros and negative ones too) kept."""
    if 0 in x.strides:
        return np.broadcast_to(x[:1].astype(dtype), x.shape)
    if any(step < 0 for step in x.strides):
        back = tuple(slice(None, None, -1) for _ in x.shape)
        return x[back].astype(dtype)[back]
    if x.flags.c_contiguous or x.flags.f_contiguous or np.prod(x.shape) * x.itemsize == x.nbytes:
        return x.astype(dtype, order="K")
    return x.astype(dtype)


@st.composite
def cases(draw):
    """Any shape of rank 2 to 5, sizes around the number of lanes, one channel axis, means up to 1e7."""
    rank = draw(st.integers(2, 5))
    sizes = st.sampled_from([1, 2, 3, 5, 7, 16, 17, 33]) if rank < 4 else st.sampled_from([1, 2, 3, 5, 8])
    shape = tuple(draw(st.lists(sizes, min_size=rank, max_size=rank)))
    dtype = draw(st.sampled_from(["float32", "float32", "float64", "float16"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mean = 0.0 if dtype == "float16" else draw(st.sampled_from([0.0, 1.0, -1e3, 1e5, 1e7]))
    x = like(draw(views(shape, rng)) + mean if mean else draw(views(shape, rng)), dtype)
    dy = like(draw(views(shape, rng)), dtype)
    axis = draw(st.integers(0, rank - 1))
    kind = "float64" if dtype == "float64" else "float32"
    scale = rng.normal(size=shape[axis]).astype(kind) if draw(st.booleans()) else None
    offset = rng.normal(size=shape[axis]).astype(kind) if draw(st.booleans()) else None
    x.flags.writeable = False  # no kernel may write into its input
    return Case(x, dy, axis, Params(scale, offset))


def request_for(case, op="forward"):
    """What functional would ask the table."""
    scale, offset = case.params
    name = case.x.dtype.name
    made = plan(case.x.shape, case.axis)
    return Request(op, np, "numpy", name, "cpu", made, scale is not None, offset is not None)


def exact(case):
    """y, moments and the case in float64 by the portable maths."""
    wide = Case(case.x.astype(float), case.dy.astype(float), case.axis, Params(*map(widened, case.params)))
    y, moments = PORTABLE.forward(request_for(wide), wide.x, wide.params, None, EPS)
    return wide, y, moments


def widened(vector):
    """The parameter in float64."""
    return None if vector is None else vector.astype(float)


def close(found, wanted, dtype, size=1.0, ulps=16):
    """Equal up to some roundings of numbers of this size."""
    found = np.asarray(found, float)
    bound = ulps * ROUNDING["float32" if dtype == "float16" else dtype] * (size + np.abs(wanted))
    if dtype == "float16":
        bound = bound + 1.01 * ROUNDING["float16"] * np.abs(wanted) + 2.0**-24
    np.testing.assert_array_less(np.abs(found - wanted), bound + 1e-300)


def sizes(case, moments):
    """How large the terms of y and of dx are: what the roundings are to be measured against."""
    stat = plan(case.x.shape, case.axis).stat_shape
    deviation = np.sqrt(np.reshape(moments.m2, stat) / moments.count + EPS)
    spread = np.max(np.abs(case.x - np.reshape(moments.mean, stat)) / deviation, initial=0.0)
    scale = 1.0 if case.params.scale is None else np.reshape(np.abs(case.params.scale), stat)
    return 1 + scale * spread, scale / deviation * np.max(np.abs(case.dy), initial=0.0) * (1 + spread)


SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@SETTINGS
@given(cases())
def test_numba_training_agrees(case):
    """y, mean and m2 are those of float64 up to roundings of the input's own type, also at mean 1e7 and std 1."""
    wide, y, moments = exact(case)
    name = case.x.dtype.name
    found, stats = NUMBA.forward(request_for(case), case.x, case.params, None, EPS)
    by_y, _ = sizes(wide, moments)
    assert found.dtype == case.x.dtype
    assert found.shape == case.x.shape
    close(found, y, name, by_y)
    close(stats.mean, moments.mean, name)
    # float32 is added up in float64; float64 has nothing wider, and where it is added up in order its roundings walk at random.
    ulps = 16 + np.sqrt(moments.count) if name == "float64" else 16
    close(stats.m2, moments.m2, name, ulps=ulps)
    alone = NUMBA.moments(request_for(case, "moments"), case.x, None)
    np.testing.assert_array_equal(alone.mean, stats.mean)
    close(alone.m2, moments.m2, name, ulps=ulps)


@SETTINGS
@given(cases())
def test_numba_backward_agrees(case):
    """dx and the gradients of the parameters are those of float64 up to roundings."""
    wide, _, moments = exact(case)
    name = case.x.dtype.name
    kind = np.float64 if name == "float64" else np.float32
    stats = Moments(moments.count, moments.mean.astype(kind), moments.m2.astype(kind))
    found = NUMBA.backward(request_for(case, "backward"), case.dy, case.x, case.params, stats, None, EPS)
    wanted = through_batch(
        np, wide.dy, wide.x, wide.params, moments, None, plan(case.x.shape, case.axis), EPS, wide=True
    )
    _, by_dx = sizes(wide, moments)
    close(found.x, wanted.x, name, by_dx)
    norm = np.sqrt(moments.count) * (1 + np.abs(wide.dy).max()) * 64
    for one, other in ((found.scale, wanted.scale), (found.offset, wanted.offset)):
        assert (one is None) == (other is None)
        if one is not None:
            close(one, other, name, norm)


@SETTINGS
@given(cases(), st.floats(0.01, 100.0))
def test_numba_evaluation_agrees(case, var):
    """Evaluation and its backward pass are those of float64 for the same statistics."""
    wide, _, _ = exact(case)
    name, made = case.x.dtype.name, plan(case.x.shape, case.axis)
    kind = np.float64 if name == "float64" else np.float32
    mean, spread = np.mean(wide.x, axis=made.reduce).astype(kind), np.full(made.param_shape, var, kind)
    given_statistics = Moments(1, mean.astype(float), spread.astype(float))
    found = NUMBA.evaluate(request_for(case, "evaluate"), case.x, case.params, mean, spread, EPS)
    args = wide.params, mean.astype(float), spread.astype(float)
    wanted = PORTABLE.evaluate(request_for(wide, "evaluate"), wide.x, *args, EPS)
    by_y, by_dx = sizes(wide, given_statistics)
    close(found, wanted, name, by_y)
    back = NUMBA.backward_evaluate(
        request_for(case, "backward_evaluate"), case.dy, case.x, case.params, mean, spread, EPS
    )
    wanted_back = through_statistics(np, wide.dy, wide.x, *args, made, EPS, wide=True)
    close(back.x, wanted_back.x, name, by_dx)


@pytest.mark.parametrize(
    "shape",
    [
        (1, 5, 1),
        (7, 1),
        (3, 4097),
        (5, 4097, 3),
        (1, 1, 2200003),
        (2200003, 1),
        (70001, 3),
        (70001, 31),
        (2, 3, 700, 701),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_odd_sizes_and_threads(shape, threads):
    """Sizes that nothing divides, one channel, and two threads give what one thread gives."""
    numba = pytest.importorskip("numba")
    rng = np.random.default_rng(3)
    x = (rng.normal(size=shape) + 3).astype(np.float32)
    case = Case(x, rng.normal(size=shape).astype(np.float32), 1, Params())
    wide, y, moments = exact(case)
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, before))
    try:
        found, stats = NUMBA.forward(request_for(case), x, case.params, None, EPS)
        back = NUMBA.backward(request_for(case, "backward"), case.dy, x, case.params, stats, None, EPS)
    finally:
        numba.set_num_threads(before)
    wanted = through_batch(np, wide.dy, wide.x, wide.params, moments, None, plan(shape, 1), EPS, wide=True)
    by_y, by_dx = sizes(wide, moments)
    close(found, y, "float32", by_y)
    close(back.x, wanted.x, "float32", by_dx)


@pytest.mark.parametrize("shape", [(64, 8), (8, 4, 9, 9), (65536, 4)])
@pytest.mark.parametrize("mean", [0.0, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7])
def test_large_means_cost_nothing(shape, mean):
    """The error of y is at most 1e-6 for standard deviation 1, whatever the mean."""
    x = (np.random.default_rng(1).normal(size=shape) + mean).astype(np.float32)
    y, _ = anybn.batch_norm(x, training=True)
    wide = x.astype(float)
    axes = tuple(i for i in range(x.ndim) if i != 1)
    wanted = (wide - wide.mean(axes, keepdims=True)) / np.sqrt(wide.var(axes, keepdims=True) + EPS)
    assert np.abs(y - wanted).max() <= 1e-6


@pytest.mark.parametrize("value", [0.1, 123456.789, 1e8, -3e30, 1e-40])
@pytest.mark.parametrize("shape", [(1000, 3), (4, 3, 11, 13)])
def test_constants_give_exactly_the_offset(value, shape):
    """A constant channel is exactly 0 (or the offset), with variance exactly 0."""
    x = np.full(shape, value, np.float32)
    y, moments = NUMBA.forward(
        Request("forward", np, "numpy", "float32", "cpu", plan(shape, 1)), x, Params(), None, EPS
    )
    assert np.all(y == 0)
    assert np.all(moments.m2 == 0)
    assert np.all(moments.mean == np.float32(value))


def test_an_outlier_first_costs_nothing():
    """The first element is the shift of the sums; if it is far from all others, accuracy does not suffer (float64)."""
    x = np.random.default_rng(0).normal(size=(100000, 2))
    x[0] = 1e9
    y, _ = anybn.batch_norm(x, training=True)
    mean = np.array([np.sum(x[:, c].astype(np.longdouble)) / len(x) for c in range(2)])
    wanted = (x - mean) / np.sqrt(((x - mean) ** 2).mean(0) + EPS)
    np.testing.assert_allclose(y, wanted.astype(float), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_channel(bad):
    """A NaN or infinity makes its own channel NaN, and no other."""
    x = np.random.default_rng(0).normal(size=(50, 3, 20)).astype(np.float32)
    x[7, 1, 3] = bad
    y, _ = anybn.batch_norm(x, training=True)
    assert np.isnan(y[:, 1]).all()
    assert np.isfinite(y[:, [0, 2]]).all()


def test_extreme_values_do_not_overflow():
    """Sums are in float64: values of 1e30, whose squares float32 does not hold, are normalised."""
    x = (np.random.default_rng(0).normal(size=(64, 3)) * 1e30).astype(np.float32)
    request = Request("forward", np, "numpy", "float32", "cpu", plan(x.shape, 1))
    y, _ = NUMBA.forward(request, x, Params(), None, EPS)
    wide = x.astype(float)
    np.testing.assert_allclose(y, (wide - wide.mean(0)) / wide.std(0), atol=1e-6)


def test_records_and_foreign_bytes_are_copied_first():
    """Numbers that are not aligned or not in the processor's byte order give the same y."""
    table = np.zeros(40, dtype=[("flag", "i1"), ("value", "<f4", (3,))])
    table["value"] = np.random.default_rng(0).normal(size=(40, 3))
    want, _ = anybn.batch_norm(np.ascontiguousarray(table["value"]), training=True)
    for x in (table["value"], np.ascontiguousarray(table["value"]).astype(">f4")):
        y, _ = anybn.batch_norm(x, training=True)
        np.testing.assert_array_equal(y.astype(np.float32), want)


def test_use_keeps_to_one_row_and_why_says_so():
    """``use("portable")`` shuts the other rows, and `why` prints who computes and why the others do not."""
    x = np.ones((4, 3), np.float32)
    assert anybn.why(x).chosen == "numba"
    with use("portable"):
        verdicts = anybn.why(x)
    assert verdicts.chosen == "portable"
    assert "only 'portable' is in use" in str(verdicts)


@pytest.mark.parametrize(
    ("x", "options", "reason"),
    [
        (np.ones((4, 3), np.float32), {"mask": np.ones(4, bool)}, "weights and masks"),
        (np.ones((0, 3), np.float32), {}, "nothing to compute"),
        (np.ones((4, 3, 2, 5), np.float32), {"axis": (1, 3)}, "channel axes that are apart"),
    ],
)
def test_refusals_have_reasons(x, options, reason):
    """What the compiled loops cannot do goes to the portable row, with a reason."""
    verdicts = anybn.why(x, **options)
    assert verdicts.chosen == "portable"
    assert reason in str(verdicts)


def test_rows_are_kernels_with_tolerances():
    """Every compiled row does all five operations and states how far it may be from the portable one."""
    for row in (NUMBA, TORCH_CPU):
        assert isinstance(row, Kernel)
        assert len(row.ops) == 5
        assert 0 < row.tolerance <= 1e-5
