"""Digits: y against float64 for means up to 1e7, constants, 16-bit inputs, mixed dtypes, every layout and library."""

from contextlib import nullcontext

import ml_dtypes
import numpy as np
import pytest

import anybn
from anybn import kernels

MEANS = [0.0, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7]
LAYOUTS = {
    "rows": ((65536, 4), 1),
    "channels first": ((64, 4, 32, 32), 1),
    "channels last": ((64, 32, 32, 4), -1),
    "channels in front": ((4, 65536), 0),
    "one row": ((1, 4, 65536), 1),
    "two axes": ((64, 2, 1024, 2), (1, 3)),
}
COMPUTED = ["numpy", "torch", "jax"]


@pytest.fixture(params=["numpy", "numpy portable", "torch", "torch portable", "jax"])
def sharp(request):
    """The libraries that the project promises digits for, with and without faster kernels."""
    name, _, only = request.param.partition(" ")
    module = pytest.importorskip("jax.numpy" if name == "jax" else name)
    with kernels.use(only) if only else nullcontext():
        yield module


def values(shape, mean, seed=1):
    """Normal values of standard deviation 1 around a mean, as float32 has them."""
    return (np.random.default_rng(seed).standard_normal(shape) + mean).astype(np.float32)


def exact(x, axis, eps=1e-5):
    """(y, biased variance) of these very float32 values, in float64."""
    kept = tuple(a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis))
    reduce = tuple(i for i in range(x.ndim) if i not in kept)
    wide = x.astype(np.float64)
    mean = wide.mean(reduce, keepdims=True)
    var = ((wide - mean) ** 2).mean(reduce, keepdims=True)
    return (wide - mean) / np.sqrt(var + eps), var.squeeze(reduce)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mean", MEANS)
def test_error_of_y_and_of_the_variance(sharp, layout, mean):
    """Standard deviation 1: y errs by at most 1e-6 and the variance by 1e-6 relative, however large the mean."""
    shape, axis = LAYOUTS[layout]
    x = values(shape, mean)
    want, var = exact(x, axis)
    channels = var.shape
    xp = sharp
    state = anybn.RunningStats(xp.zeros(channels, dtype=xp.float32), xp.ones(channels, dtype=xp.float32))
    y, new = anybn.batch_norm(xp.asarray(x), None, state, training=True, axis=axis, semantics="onnx", decay=0)
    assert np.abs(np.asarray(y) - want).max() <= 1e-6 * max(1, np.abs(want).max() / 4)
    assert (np.abs(np.asarray(new.var) - var) / var).max() <= 1e-6


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("constant", [0.1, 1.0, -3.7, 123456.789, 1e8, 1e-20, 3e30])
def test_constant_input_gives_exactly_zero(sharp, layout, constant):
    """A constant has no deviation: y is 0, not a rounding error divided by the square root of eps."""
    shape, axis = LAYOUTS[layout]
    y, _ = anybn.batch_norm(sharp.asarray(np.full(shape, constant, np.float32)), training=True, axis=axis)
    assert np.abs(np.asarray(y)).max() == 0


@pytest.mark.parametrize("mean", MEANS)
def test_several_processes_lose_no_digits(sharp, mean):
    """Halves of a batch in two processes, with means apart: y is as exact as that of the whole batch."""
    x = values((2048, 4), mean) + np.repeat([[0], [1]], 1024, axis=0).astype(np.float32)
    want, _ = exact(x, 1)
    halves = [sharp.asarray(half) for half in (x[:1024], x[1024:])]
    sent = []
    for half in halves:
        anybn.batch_norm(half, training=True, reduce=lambda own: sent.append(own) or own)
    got = [anybn.batch_norm(h, training=True, reduce=lambda _: anybn.merge(*sent))[0] for h in halves]
    error = np.abs(np.concatenate([np.asarray(y) for y in got]) - want).max()
    # JAX has no float64 to send means in, unless told so: there two means are known to half a unit of their last digit.
    assert error <= max(1.05e-6, 2 * np.spacing(np.float32(mean)) if "jax" in sharp.__name__ else 0)


def test_eps_zero_is_never_nan(sharp):
    """Without eps a constant channel still gives 0, and the others lose nothing."""
    x = values((64, 3), 5.0)
    x[:, 1] = 7.3
    y, _ = anybn.batch_norm(sharp.asarray(x), training=True, eps=0.0)
    want = exact(x[:, [0, 2]], 1, eps=0.0)[0]
    np.testing.assert_allclose(np.asarray(y)[:, [0, 2]], want, atol=1e-6)
    assert (np.asarray(y)[:, 1] == 0).all()
    state = anybn.RunningStats(sharp.asarray(x[0]), sharp.asarray(np.float32([1, 0, 1])))
    z, _ = anybn.batch_norm(sharp.asarray(x), None, state, training=False, eps=0.0)
    assert (np.asarray(z)[:, 1] == 0).all()


def test_masked_and_weighted_are_as_exact(sharp):
    """Mask and weights lose no digits either."""
    x = values((4096, 4), 1e6)
    mask = np.random.default_rng(2).random(4096) < 0.7
    want, _ = exact(x[mask], 1)
    y, _ = anybn.batch_norm(sharp.asarray(x), training=True, mask=sharp.asarray(mask))
    assert np.abs(np.asarray(y)[mask] - want).max() <= 1e-6
    y, _ = anybn.batch_norm(sharp.asarray(np.full((4096, 4), 123456.789, np.float32)), training=True,
                            mask=sharp.asarray(mask))  # fmt: skip
    assert np.abs(np.asarray(y)).max() == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", COMPUTED)
def test_16_bit_is_computed_in_float32(name, dtype):
    """70,000 ones, and a spread whose square overflows float16: y has x's dtype, the state is float32 and finite."""
    xp = pytest.importorskip("jax.numpy" if name == "jax" else name)
    kind = np.dtype(getattr(ml_dtypes, dtype, None) or dtype)
    x = (np.random.default_rng(0).standard_normal((70000, 2)) * 300 + 1).astype(kind)
    x[:, 1] = 1
    given = xp.tensor(x.astype(np.float32)).to(getattr(xp, dtype)) if name == "torch" else xp.asarray(x)
    params, state = anybn.init(2, xp=xp)
    y, new = anybn.batch_norm(given, params, state, training=True, semantics="onnx", decay=0)
    assert str(y.dtype).endswith(dtype)
    assert str(new.mean.dtype).endswith("float32")
    want, var = exact(x.astype(np.float32), 1)
    got = y.float().numpy() if name == "torch" else np.asarray(y).astype(np.float32)
    assert np.abs(got - want).max() <= np.abs(want).max() * 2.0 ** (-8 if dtype == "bfloat16" else -11)
    np.testing.assert_allclose(np.asarray(new.var), var, rtol=1e-6)
    y, _ = anybn.batch_norm(given, params, new, training=False)
    assert str(y.dtype).endswith(dtype)


@pytest.mark.parametrize("x_dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("param_dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("state_dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_mixed_dtypes(name, x_dtype, param_dtype, state_dtype):
    """x decides: y has its dtype, float64 is computed in float64, all else in float32; the state keeps its own dtype."""
    xp = pytest.importorskip(name)
    x = xp.asarray(values((32, 3), 2.0).astype(x_dtype))
    scale = xp.asarray(np.array([1, 2, 3], param_dtype))
    state = anybn.RunningStats(*(xp.asarray(np.full(3, v, state_dtype)) for v in (0, 1)))
    for training in (True, False):
        y, new = anybn.batch_norm(x, anybn.Params(scale, scale), state, training=training)
        assert y.dtype == x.dtype
        assert new.mean.dtype == new.var.dtype == state.mean.dtype
    expected = exact(np.asarray(x), 1)[0] * np.array([1, 2, 3]) + np.array([1, 2, 3])
    y, _ = anybn.batch_norm(x, anybn.Params(scale, scale), None, training=True)
    tolerance = {"float16": 6e-3, "float32": 2e-6, "float64": 1e-14}[x_dtype]
    np.testing.assert_allclose(np.asarray(y), expected, atol=tolerance)


def test_strided_and_reversed_views(sharp):
    """A view gives what its copy gives, to the bit or to the rounding of another summation order."""
    base = values((16, 8, 10, 12), 5.0)
    for view in (base[::2], base[:, ::-1, 1:, ::3], base.transpose(0, 2, 1, 3), base[::-1].transpose(3, 1, 2, 0)):
        given = view if sharp is np else sharp.asarray(view.copy())
        y, _ = anybn.batch_norm(given, training=True)
        np.testing.assert_allclose(np.asarray(y), exact(view, 1)[0], atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1), (3, 4097), (1, 5, 1, 7), (13, 3, 11), (257, 1), (2, 2, 1, 1, 1)])
def test_odd_sizes(sharp, shape):
    """Sizes that divide by nothing, one channel, thousands of channels."""
    x = values(shape, 10.0)
    y, _ = anybn.batch_norm(sharp.asarray(x), training=True, semantics="keras", eps=1e-5)
    np.testing.assert_allclose(np.asarray(y), exact(x, 1)[0], atol=2e-6)


@pytest.mark.parametrize("size", [1e-30, 1e-10, 1e10, 1e18])
def test_extreme_scales(sharp, size):
    """Values from 1e-30 to 1e18: no overflow, no NaN, the eps rules as it should."""
    x = values((64, 3), 0.0) * np.float32(size)
    y, _ = anybn.batch_norm(sharp.asarray(x), training=True)
    np.testing.assert_allclose(np.asarray(y), exact(x, 1)[0], atol=2e-6)


def test_evaluation_with_a_large_mean(sharp):
    """x - mean comes first, so float32 statistics of mean 1e6 lose nothing that they have."""
    x = values((4096, 4), 1e6)
    mean = x.astype(np.float64).mean(0).astype(np.float32)
    var = np.ones(4, np.float32)
    state = anybn.RunningStats(sharp.asarray(mean), sharp.asarray(var))
    y, _ = anybn.batch_norm(sharp.asarray(x), None, state, training=False)
    want = (x.astype(np.float64) - mean.astype(np.float64)) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(np.asarray(y), want, atol=1e-6)
