"""The CUDA source, compiled for this machine's processor and launched by the same code, computes what the portable row computes."""

import platform
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anybn.core.backward import through_batch, through_statistics
from anybn.kernels import cuda_launch
from anybn.kernels.base import Request
from anybn.kernels.portable import PORTABLE
from anybn.plan import plan
from anybn.state import Moments, Params

sys.path.insert(0, str(Path(__file__).parent))
from cuda_host import COMPILER, Host

pytestmark = pytest.mark.skipif(
    COMPILER is None or platform.machine() != "x86_64", reason="needs g++ on x86-64, whose 16-bit conversions it uses"
)
EPS = 1e-5
BOUNDS = {"float32": 2e-6, "float64": 2e-14, "float16": 2e-3, "bfloat16": 1.6e-2}
SHAPES = [
    ((2, 3, 5), 1),
    ((4, 8, 16), 1),
    ((1, 5, 1), 1),
    ((7, 1), 1),
    ((3, 4097), 1),
    ((257, 33), 1),
    ((1000, 3), 1),
    ((1024, 4), 1),
    ((64, 128), 1),
    ((3, 2, 4099), 1),
    ((2, 3, 12, 344), 1),
    ((5, 7, 3, 11), -1),
    ((2, 6, 4, 3, 5), 2),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """The processor as a device."""
    return Host(tmp_path_factory.mktemp("cuda"))


def kind_of(dtype):
    """NumPy's dtype of this name."""
    return np.dtype(getattr(ml_dtypes, dtype, None) or dtype)


def check(host, x, dy, axis, params, dtype):
    """Forward, evaluation and both backward passes, against float64."""
    made, small = plan(x.shape, axis), BOUNDS[dtype]
    laid = cuda_launch.in_memory_order(made, [step // x.itemsize for step in x.strides])
    assert laid is not None
    y, dx = np.empty_like(x), np.empty_like(x)
    mean, m2 = cuda_launch.forward(host, laid, dtype, x, y, EPS, *params)
    wide, wide_dy = x.astype(float), dy.astype(float)
    widened = Params(*(None if one is None else one.astype(float) for one in params))
    asked = Request("forward", np, "numpy", "float64", "cpu", made, params.scale is not None, params.offset is not None)
    wanted, moments = PORTABLE.forward(asked, wide, widened, None, EPS)
    spread = 1 + np.abs(wanted).max()
    assert np.abs(y.astype(float) - wanted).max() <= small * spread
    own = 2e-14 if dtype == "float64" else 1e-6  # statistics are never 16-bit
    np.testing.assert_allclose(
        mean, moments.mean, rtol=own, atol=own * np.sqrt(moments.m2.max() / moments.count) + 1e-300
    )
    np.testing.assert_allclose(m2, moments.m2, rtol=own, atol=own * moments.m2.max() + 1e-300)

    d_scale, d_offset = cuda_launch.backward(host, laid, dtype, (dy, x, dx), EPS, params.scale, mean, m2)
    grads = through_batch(np, wide_dy, wide, widened, moments, None, made, EPS, wide=True)
    agree(dx, d_scale, d_offset, grads, small, made.count)

    var = (moments.m2 / moments.count + 0.5).astype(mean.dtype)
    cuda_launch.evaluate(host, laid, dtype, x, y, EPS, mean, var, *params)
    given_statistics = mean.astype(float), var.astype(float)
    wanted = PORTABLE.evaluate(asked, wide, widened, *given_statistics, EPS)
    assert np.abs(y.astype(float) - wanted).max() <= small * (1 + np.abs(wanted).max())
    found = cuda_launch.backward(host, laid, dtype, (dy, x, dx), EPS, params.scale, mean, var, constant=True)
    agree(
        dx,
        *found,
        through_statistics(np, wide_dy, wide, widened, *given_statistics, made, EPS, wide=True),
        small,
        made.count,
    )


def agree(dx, d_scale, d_offset, wanted, small, count):
    """Gradients are equal up to roundings of numbers as large as they sum."""
    size = 1 + np.abs(wanted.x).max()
    assert np.abs(dx.astype(float) - wanted.x).max() <= 8 * small * size
    for one, other in ((d_scale, wanted.scale), (d_offset, wanted.offset)):
        if other is not None:
            assert np.abs(one - other).max() <= min(small, 2e-6) * 8 * np.sqrt(count) * (1 + np.abs(other).max())


def numbers(shape, axis, dtype, mean, seed=0):
    """x, dy and parameters."""
    rng = np.random.default_rng(seed)
    kind = np.float64 if dtype == "float64" else np.float32
    x, dy = ((rng.normal(size=shape) + m).astype(kind).astype(kind_of(dtype)) for m in (mean, 0.0))
    scale, offset = (rng.normal(size=shape[axis]).astype(kind) for _ in range(2))
    return x, dy, Params(scale, offset)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_odd_shapes(host, shape, axis, dtype):
    """Sizes that nothing divides, one channel, thousands, channels in the middle: every tail is computed, and nothing beyond."""
    x, dy, params = numbers(shape, axis, dtype, 2.0)
    check(host, x, dy, axis, params, dtype)
    check(host, x, dy, axis, Params(None, params.offset), dtype)


@pytest.mark.parametrize("mean", [0.0, 1e3, 1e5, 1e7])
@pytest.mark.parametrize(("shape", "axis"), [((4, 8, 16, 16), 1), ((512, 5), 1)])
def test_large_means_cost_nothing(host, shape, axis, mean):
    """The error of y is at most 1e-6 for standard deviation 1, whatever the mean."""
    x, _, _ = numbers(shape, axis, "float32", mean)
    y = np.empty_like(x)
    cuda_launch.forward(host, plan(shape, axis), "float32", x, y, EPS, None, None)
    wide, reduce = x.astype(float), plan(shape, axis).reduce
    wanted = (wide - wide.mean(reduce, keepdims=True)) / np.sqrt(wide.var(reduce, keepdims=True) + EPS)
    assert np.abs(y - wanted).max() <= 1e-6


def test_channels_last_memory_is_not_copied(host):
    """A tensor whose channels come second but lie last is walked as it lies; one with gaps has no such plan."""
    x, dy, params = (np.moveaxis(one, -1, 1) if isinstance(one, np.ndarray) else one
                     for one in numbers((3, 5, 7, 4), -1, "float32", 1.0))  # fmt: skip
    assert not x.flags.c_contiguous
    check(host, x, dy, 1, params, "float32")
    assert cuda_launch.in_memory_order(plan((3, 4, 5), 1), (40, 10, 2)) is None
    assert cuda_launch.in_memory_order(plan((3, 4, 5, 6), (1, 3)), (120, 30, 6, 1)) is None


@pytest.mark.parametrize("shift", range(4))
def test_unaligned_addresses_take_smaller_loads(host, shift):
    """Data that begin anywhere are read by loads that their address allows."""
    room, other = np.empty(4 * 8 * 16 + 4, np.float32), np.empty(4 * 8 * 16 + 4, np.float32)
    x, dy = (one[shift : shift + 512].reshape(4, 8, 16) for one in (room, other))
    x[...], dy[...], params = numbers((4, 8, 16), 1, "float32", 1.0)
    check(host, x, dy, 1, params, "float32")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_shape(host, data):
    """Any shape of rank 2 to 4, any channel axis, memory in any order of the axes."""
    rank = data.draw(st.integers(2, 4))
    shape = tuple(data.draw(st.lists(st.sampled_from([1, 2, 3, 4, 5, 8, 9, 16, 31]), min_size=rank, max_size=rank)))
    axis = data.draw(st.integers(0, rank - 1))
    dtype = data.draw(st.sampled_from(["float32", "float64", "float16"]))
    x, dy, params = numbers(shape, axis, dtype, data.draw(st.sampled_from([0.0, 100.0])), data.draw(st.integers(0, 99)))
    if data.draw(st.booleans()):
        order = [axis, *(i for i in range(rank) if i != axis)]
        x, dy = (np.ascontiguousarray(one.transpose(order)).transpose(np.argsort(order)) for one in (x, dy))
    check(host, x, dy, axis, params, dtype)


def test_few_channels_fill_a_large_chip(tmp_path):
    """With 132 processors and 3 channels the work is split into hundreds of blocks, and joined to the same sums."""
    x, dy, params = numbers((6, 3, 5000), 1, "float32", 1.0)
    check(Host(tmp_path, processors=132), x, dy, 1, params, "float32")


def test_every_loop_and_vector_was_run(host):
    """All loops of the source have run here, with every number of elements per load that float32 has."""
    for shape in ((2, 2, 5), (2, 2, 6), (2, 2, 8), (3, 5), (3, 6), (3, 8)):
        check(host, *numbers(shape, 1, "float32", 1.0)[:2], 1, numbers(shape, 1, "float32", 1.0)[2], "float32")
    names = {name for dtype, _, name in host.launched if dtype == "float32"}
    assert len(names) == 10
    assert {vector for dtype, vector, name in host.launched if dtype == "float32" and name == "apply"} == {1, 2, 4}


def test_a_moments_request_needs_no_y(host):
    """The statistics alone are those of the forward pass."""
    x, _, _ = numbers((4, 8, 16), 1, "float32", 1.0)
    _, mean, m2 = cuda_launch.Launch(plan(x.shape, 1), "float32", host, x).statistics(x, 1.0, None, None)
    wanted = PORTABLE.moments(Request("moments", np, "numpy", "float32", "cpu", plan(x.shape, 1)), x, None)
    assert isinstance(wanted, Moments)
    np.testing.assert_allclose(mean, wanted.mean, rtol=1e-6)
    np.testing.assert_allclose(m2, wanted.m2, rtol=1e-6)
