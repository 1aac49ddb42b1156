"""The short way of a repeated call: the same numbers as the long way, and never where something is not as it was."""

import ml_dtypes  # noqa: F401  (gives NumPy its bfloat16)
import numpy as np
import pytest

import anybn
from anybn import Params, RunningStats
from anybn.functional import lane
from anybn.kernels import use

pytest.importorskip("numba")

PRESETS = ["torch", "torch_cumulative", "keras", "haiku", "contrib_fused_zero_debias", "equinox_batch"]
LONG = [
    "keras_2_3_double_bessel",
    "mxnet_nd_fix_gamma",
]  # no short way: two corrections of the variance, a scale that is not used
SHAPES = [((8, 3), 1), ((6, 5, 7, 9), 1), ((6, 7, 9, 5), -1), ((70, 33), 1), ((3, 40, 4, 5), 1)]


@pytest.fixture(autouse=True)
def fresh():
    """No lane is left from another test."""
    lane._LANES.clear()


@pytest.fixture(params=["numpy", "torch"])
def library(request):
    """The libraries that have lanes."""
    return pytest.importorskip(request.param)


def make(library, shape, axis, dtype="float32", seed=0):
    """x, params and state of this library."""
    rng = np.random.default_rng(seed)
    kind = "float64" if dtype == "float64" else "float32"
    x = (rng.normal(size=shape) + 2).astype("float32" if dtype == "bfloat16" and library is not np else dtype)
    vectors = [(rng.random(shape[axis]) + 0.5).astype(kind) for _ in range(4)]
    if library is not np:
        x, *vectors = (library.from_numpy(one) for one in (x, *vectors))
        x = x.to(getattr(library, dtype))
    return x, Params(*vectors[:2]), RunningStats(*vectors[2:])


def same(one, other, bound=2e-6):
    """Equal up to roundings."""
    np.testing.assert_allclose(np.asarray(one, float), np.asarray(other, float), rtol=bound, atol=bound)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", PRESETS + LONG)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_the_short_way_is_the_long_way(library, shape, axis, name, training):
    """Three steps by the lane give y and running statistics of three steps by the portable row, to the last bit or nearly."""
    x, params, state = make(library, shape, axis)
    portable = state
    for step in range(3):
        y, state = anybn.batch_norm(x, params, state, training=training, axis=axis, semantics=name)
        with use("portable"):
            wanted, portable = anybn.batch_norm(x, params, portable, training=training, axis=axis, semantics=name)
        same(y, wanted)
        same(state.mean, portable.mean, 3e-7)
        same(state.var, portable.var, 3e-7)
        assert state.steps == portable.steps == (step + 1 if training else 0)
    if training:
        assert len(lane._LANES) == (name in PRESETS)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_dtype(library, dtype):
    """16-bit data have statistics in float32; y keeps x's dtype."""
    x, params, state = make(library, (12, 5, 6), 1, dtype)
    for _ in range(2):
        y, new = anybn.batch_norm(x, params, state, training=True)
    with use("portable"):
        wanted, _ = anybn.batch_norm(x, params, state, training=True)
    assert y.dtype == x.dtype
    assert new.mean.dtype == state.mean.dtype
    y, wanted = (one.astype(float) if library is np else one.double() for one in (y, wanted))
    same(y, wanted, {"float16": 2e-3, "bfloat16": 2e-2}.get(dtype, 2e-6))


@pytest.mark.parametrize("parts", ["neither", "scale", "offset"])
def test_absent_parameters(library, parts):
    """A parameter that is not there is 1 or 0."""
    x, params, state = make(library, (20, 4), 1)
    some = Params(params.scale if parts == "scale" else None, params.offset if parts == "offset" else None)
    for given in (state, None):
        for _ in range(2):
            y, _ = anybn.batch_norm(x, some, given, training=True)
        with use("portable"):
            same(y, anybn.batch_norm(x, some, given, training=True)[0])


def test_nothing_that_is_passed_is_changed(library):
    """The lane writes into what it has made itself only."""
    x, params, state = make(library, (9, 4, 5), 1)
    before = [np.array(np.asarray(one)) for one in (x, *params, *state[:2])]
    for _ in range(3):
        anybn.batch_norm(x, params, state, training=True)
        anybn.batch_norm(x, params, state, training=False)
    for one, old in zip((x, *params, *state[:2]), before, strict=True):
        np.testing.assert_array_equal(np.asarray(one), old)


def test_what_is_not_as_it_was_goes_the_long_way(library):
    """After a good call, each bad one is refused with its message as if it were the first."""
    x, params, state = make(library, (9, 4), 1)
    for _ in range(2):
        anybn.batch_norm(x, params, state, training=True)
    for bad in (
        lambda: anybn.batch_norm(x, Params(params.scale[:3], params.offset), state, training=True),
        lambda: anybn.batch_norm(x, params, state._replace(mean=state.mean[:2]), training=True),
        lambda: anybn.batch_norm(x, (params.scale, params.offset), state, training=True),
        lambda: anybn.batch_norm(x, params, state, training=1),
        lambda: anybn.batch_norm(x, params, None, training=False),
        lambda: anybn.batch_norm(x, params, state, training=True, axis=True),
        lambda: anybn.batch_norm(x, params, state, training=True, eps="1e-5"),
        lambda: anybn.batch_norm(x, params, state, training=True, semantics="nobody"),
    ):
        with pytest.raises(anybn.AnybnError):
            bad()


def test_other_vectors_are_read_rightly(library):
    """Strided parameters, another dtype of them and of the state, an array of steps: the same numbers."""
    x, params, state = make(library, (9, 4), 1)
    for _ in range(2):
        wanted, after = anybn.batch_norm(x, params, state, training=True)
    double = library.float64
    wide = [one.astype(double) if library is np else one.to(double) for one in (*params, *state[:2])]
    spread = [np.repeat(one, 2)[::2] if library is np else one.repeat_interleave(2)[::2] for one in params]
    for given, kept in (
        (Params(*wide[:2]), state),
        (params, RunningStats(*wide[2:])),
        (Params(*spread), state),
        (params, state._replace(steps=library.asarray(0))),
    ):
        y, new = anybn.batch_norm(x, given, kept, training=True)
        same(y, wanted)
        same(new.mean, after.mean)
        assert new.mean.dtype == kept.mean.dtype


def test_views_of_one_shape(library):
    """Arrays of one shape and dtype, each with strides of its own: each is read as it lies."""
    x, params, state = make(library, (6, 4, 10), 1)
    big = np.repeat(np.asarray(x), 2, axis=2) if library is np else x.repeat_interleave(2, dim=2)
    turned = np.asfortranarray(x) if library is np else x.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    one_row = np.broadcast_to(x[:1], x.shape) if library is np else x[:1].expand(6, 4, 10)
    for view in (x, big[:, :, ::2], turned, one_row, x):
        copy = np.array(view, order="C") if library is np else view.contiguous()
        for _ in range(2):
            y, _ = anybn.batch_norm(view, params, state, training=True)
        with use("portable"):
            wanted, _ = anybn.batch_norm(copy, params, state, training=True)
        same(y, wanted)


def test_in_a_context_of_use_there_is_no_short_way(library):
    """`use` holds for calls that have a lane, too."""
    x, params, state = make(library, (9, 4), 1)
    for _ in range(2):
        anybn.batch_norm(x, params, state, training=True)
    calls = []
    portable = anybn.kernels.portable.PORTABLE
    with use("portable"):
        assert lane.take(x, params, state, (True, 1, "torch", None, None)) is None
        calls.append(anybn.why(x).chosen)
    assert calls == [portable.name]
    assert lane.take(x, params, state, (True, 1, "torch", None, None)) is not None


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_share_a_large_input(library, axis, threads):
    """From some size on two threads work, by channels or by rows; the numbers are the same."""
    import numba

    shape = (16, 40, 60, 62) if axis == 1 else (16, 60, 62, 40)
    x, params, state = make(library, shape, axis)
    before = numba.get_num_threads()
    if library is not np:
        library.set_num_threads(threads)
    numba.set_num_threads(min(threads, before))
    try:
        for _ in range(2):
            y, new = anybn.batch_norm(x, params, state, training=True, axis=axis)
            z, _ = anybn.batch_norm(x, params, new, training=False, axis=axis)
    finally:
        numba.set_num_threads(before)
    with use("portable"):
        wanted, after = anybn.batch_norm(x, params, state, training=True, axis=axis)
        evaluated, _ = anybn.batch_norm(x, params, after, training=False, axis=axis)
    same(y, wanted)
    same(new.var, after.var, 3e-7)
    same(z, evaluated)


def test_gradients_by_the_lane():
    """The gradients of repeated calls are those of the portable row, for each pattern of what wants one, twice differentiable."""
    torch = pytest.importorskip("torch")
    for shape, layout in (
        ((6, 5, 4, 7), torch.contiguous_format),
        ((6, 5, 4, 7), torch.channels_last),
        ((30, 33), None),
    ):
        x, params, state = make(torch, shape, 1)
        x = x if layout is None else x.contiguous(memory_format=layout)
        dy = torch.randn_like(x)
        for pattern in ((True, True, True), (True, False, False), (False, True, True), (False, True, False)):
            leaves = [one.clone().requires_grad_(want) for one, want in zip((x, *params), pattern, strict=True)]
            wanted_by = [one for one in leaves if one.requires_grad]

            def gradients(leaves=leaves, wanted_by=wanted_by, dy=dy, state=state):
                y, _ = anybn.batch_norm(leaves[0], Params(*leaves[1:]), state, training=True)
                return torch.autograd.grad(y, wanted_by, dy)

            for _ in range(3):
                found = gradients()
            with use("portable"):
                wanted = gradients()
            for one, other in zip(found, wanted, strict=True):
                same(one, other, 2e-5)


def test_odd_gradients_for_y():
    """A gradient that is broadcast, strided or of another memory order is read as it lies, also after one that was not."""
    torch = pytest.importorskip("torch")
    x, params, state = make(torch, (6, 5, 4, 7), 1)
    leaf = x.clone().requires_grad_()
    odd = (
        torch.randn(6, 5, 4, 7),
        torch.ones(1).expand(6, 5, 4, 7),
        torch.randn(6, 4, 7, 5).movedim(-1, 1),
        torch.randn(6, 5, 4, 14)[..., ::2],
        torch.randn(6, 5, 4, 7),
    )
    for _ in range(2):
        for dy in odd:
            y, _ = anybn.batch_norm(leaf, params, state, training=True)
            (found,) = torch.autograd.grad(y, leaf, dy)
            with use("portable"):
                y, _ = anybn.batch_norm(leaf, params, state, training=True)
                (wanted,) = torch.autograd.grad(y, leaf, dy)
            same(found, wanted, 2e-5)


def test_modes_of_torch_are_seen_by_repeated_calls():
    """After plain calls with the same shapes: a dual number keeps its tangent, a trace its operations, vmap its meaning."""
    torch = pytest.importorskip("torch")
    x, params, state = make(torch, (9, 4), 1)
    for _ in range(3):
        plain, _ = anybn.batch_norm(x, params, state, training=True)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.randn(9, 4))
        y, _ = anybn.batch_norm(dual, params, state, training=True)
        assert torch.autograd.forward_ad.unpack_dual(y).tangent is not None
    with pytest.warns():
        traced = torch.jit.trace(lambda x: anybn.batch_norm(x, params, state, training=True)[0], x)
    other = torch.randn(9, 4) * 3
    same(traced(other), anybn.batch_norm(other, params, state, training=True)[0], 1e-5)
    stacked = torch.stack([x, other])
    mapped = torch.func.vmap(lambda one: anybn.batch_norm(one, params, state, training=True)[0])(stacked)
    same(mapped[0], plain, 1e-5)
    opposite = torch._neg_view(x)
    same(anybn.batch_norm(opposite, params, state, training=True)[0],
         anybn.batch_norm(-x, params, state, training=True)[0])  # fmt: skip
    with torch.no_grad():
        leaf = x.clone().requires_grad_()
        assert anybn.batch_norm(leaf, params, state, training=True)[0].grad_fn is None
    assert anybn.batch_norm(leaf, params, state, training=True)[0].grad_fn is not None
    with torch.inference_mode():
        same(anybn.batch_norm(x, params, state, training=True)[0], plain)


def test_double_backward_by_the_lane():
    """Gradients of gradients pass torch's own check after repeated calls."""
    torch = pytest.importorskip("torch")
    x, params, state = make(torch, (4, 3, 5), 1, "float64")
    inputs = [one.clone().requires_grad_() for one in (x, *params)]

    def normalise(x, scale, offset):
        return anybn.batch_norm(x, Params(scale, offset), state, training=True)[0]

    normalise(*inputs)
    assert torch.autograd.gradgradcheck(normalise, inputs)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_values_that_float32_cannot_square(library, bad):
    """One channel's NaN stays its own; values of 1e30, whose squares overflow float32, are normalised."""
    for shape, axis in (((64, 3), 1), ((4, 3, 200), 1)):
        x, params, state = make(library, shape, axis)
        x = np.array(np.asarray(x))
        x[:, 1] = x[:, 1] * 1e30 if bad == 1e30 else bad
        x = x if library is np else library.from_numpy(x)
        for _ in range(2):
            y = np.asarray(anybn.batch_norm(x, params, state, training=True)[0])
        assert np.isfinite(y[:, [0, 2]]).all()
        assert np.isfinite(y[:, 1]).all() == (bad == 1e30)
        if bad == 1e30:
            wide = np.asarray(x, float)
            rest = tuple(i for i in range(wide.ndim) if i != 1)
            wanted = (wide - wide.mean(rest, keepdims=True)) / wide.std(rest, keepdims=True)
            scale, offset = (float(one[1]) for one in params)
            same(y[:, 1], wanted[:, 1] * scale + offset, 1e-5)
