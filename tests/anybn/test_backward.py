"""The explicit backward pass is the derivative of the forward pass, however that was asked for."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import anybn
from anybn import PRESETS, BadType, BadValue, Params, Renorm, RunningStats

RNG = np.random.default_rng(3)
SHAPE = (6, 3, 2)


@dataclass(frozen=True)
class Case:
    """One way of calling; arrays are NumPy, float64."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    training: bool = True
    shape: tuple[int, ...] = SHAPE
    scale: bool = True
    offset: bool = True
    stateful: bool = False
    steps: int = 4

    @property
    def channels(self) -> tuple[int, ...]:
        axis = self.options.get("axis", 1)
        chosen = sorted(one % len(self.shape) for one in (axis if isinstance(axis, tuple) else (axis,)))
        return tuple(self.shape[one] for one in chosen)

    def inputs(self, rng=None):
        """(dy, x, params, state), the state in the middle of a training."""
        rng = rng or np.random.default_rng(5)
        some = rng.uniform(0.5, 2, (6, *self.channels))
        params = Params(some[0] if self.scale else None, some[1] if self.offset else None)
        extra = {"std": np.sqrt(some[3]), "renorm_mean": some[4], "renorm_std": some[5]}
        state = (
            RunningStats(some[2], some[3], steps=self.steps, **extra) if self.stateful or not self.training else None
        )
        return rng.normal(size=self.shape), rng.normal(1, 2, self.shape), params, state


MASK = np.array([True, True, False, True, False, True])
WEIGHTS = RNG.uniform(0, 3, SHAPE[:1] + SHAPE[2:])
CLIPPED = PRESETS["keras_renorm"].but(renorm=Renorm(rmin=0.8, rmax=1.2, dmax=0.3))

CASES = [
    Case("plain"),
    Case("two axes only", shape=(7, 4)),
    Case("channels last", {"axis": -1}, shape=(3, 2, 2, 4)),
    Case("first axis", {"axis": 0}, shape=(4, 6)),
    Case("two channel axes", {"axis": (1, 3)}, shape=(4, 2, 3, 2)),
    Case("channel axes apart from each other and not first", {"axis": (0, 2)}, shape=(2, 5, 3)),
    Case("five axes", shape=(2, 3, 2, 2, 2)),
    Case("no scale", scale=False),
    Case("no offset", offset=False),
    Case("no parameters", scale=False, offset=False),
    Case("mask of samples", {"mask": MASK}),
    Case("mask of places", {"mask": WEIGHTS > 1}),
    Case("weights", {"weights": WEIGHTS}),
    Case("weights and mask", {"weights": WEIGHTS, "mask": MASK}),
    Case("one channel without weight", {"weights": np.array([1.0, 0.0, 2.0])[None, :, None]}),
    Case("evaluation", training=False),
    Case("evaluation without parameters", training=False, scale=False, offset=False),
    Case("evaluation, channels last", {"axis": -1}, training=False, shape=(3, 2, 4)),
    Case("renorm", {"semantics": "keras_renorm"}, stateful=True),
    Case("renorm, clipped", {"semantics": CLIPPED}, stateful=True),
    Case("renorm, weighted", {"semantics": CLIPPED, "weights": WEIGHTS}, stateful=True),
    Case("renorm without scale", {"semantics": "keras_renorm"}, stateful=True, scale=False),
    Case("renorm in evaluation", {"semantics": "keras_renorm"}, training=False),
    Case("ghost batches", {"ghost": 2}),
    Case("strided ghost batches", {"ghost": 3, "semantics": "keras2"}),
    Case("weighted ghost batches", {"ghost": 3, "weights": WEIGHTS}),
    Case("equinox ema", {"semantics": "equinox_ema"}, stateful=True),
    Case("equinox ema, weighted", {"semantics": "equinox_ema", "weights": WEIGHTS}, stateful=True, offset=False),
    Case("equinox ema, first step", {"semantics": "equinox_ema"}, stateful=True, steps=0),
    Case("equinox batch in evaluation", {"semantics": "equinox_batch_divided_var"}, training=False),
    Case("blended evaluation", {"semantics": "onnx_reference_9"}, training=False),
    Case("einx, first step", {"semantics": "einx_first_call"}, stateful=True, steps=0),
    Case("einx, later", {"semantics": "einx_first_call"}, stateful=True),
    Case("fixed scale", {"semantics": "mxnet_nd_fix_gamma"}),
    Case("one value per channel", {"semantics": "flax"}, shape=(1, 3)),
    Case("one value per channel passes through", {"semantics": "paddle"}, shape=(1, 3)),
    Case("large eps", {"eps": 0.5}),
]


def loss(case, dy, x, params, state):
    """A number whose gradient for y is dy."""
    y, _ = anybn.batch_norm(x, params, state, training=case.training, **case.options)
    return float(np.sum(y * dy))


def numeric(case, dy, x, params, state, step=1e-6):
    """Central differences of the loss for x, scale and offset."""
    found = []
    arrays = (x, params.scale, params.offset)
    for place, array in enumerate(arrays):
        if array is None:
            found.append(None)
            continue
        gradient = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            ends = []
            for sign in (1, -1):
                moved = array.copy()
                moved[index] += sign * step
                swapped = (*arrays[:place], moved, *arrays[place + 1 :])
                ends.append(loss(case, dy, swapped[0], Params(*swapped[1:]), state))
            gradient[index] = (ends[0] - ends[1]) / (2 * step)
        found.append(gradient)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_finite_differences(case):
    """Every gradient is what the loss changes by when its array is moved a little."""
    inputs = case.inputs()
    got = anybn.batch_norm_backward(*inputs, training=case.training, **case.options)
    # Renorm's r and d are constants to the gradient but move with x: the definition excludes them.
    want = numeric(case, *inputs) if "renorm" not in case.name or not case.training else by_torch(case, *inputs)
    for one, other in zip(got, want, strict=True):
        if other is None:
            assert one is None
        else:
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def by_torch(case, dy, x, params, state):
    """The gradients that torch's autograd finds through anybn.batch_norm, float64."""
    torch = pytest.importorskip("torch", reason="autograd is the reference here")

    def leaf(value):
        return None if value is None else torch.tensor(value, requires_grad=True)

    moved = leaf(x), leaf(params.scale), leaf(params.offset)
    kept = (
        None
        if state is None
        else RunningStats(*(torch.as_tensor(v) if isinstance(v, np.ndarray) else v for v in state))
    )
    options = {k: torch.as_tensor(v) if isinstance(v, np.ndarray) else v for k, v in case.options.items()}
    y, _ = anybn.batch_norm(moved[0], Params(*moved[1:]), kept, training=case.training, **options)
    y.backward(torch.as_tensor(dy))
    return [None if v is None else np.zeros(v.shape) if v.grad is None else v.grad.numpy() for v in moved]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_autograd_of_torch(case):
    """Autograd through the portable forward pass finds the same gradients."""
    inputs = case.inputs()
    got = anybn.batch_norm_backward(*inputs, training=case.training, **case.options)
    for one, other in zip(got, by_torch(case, *inputs), strict=True):
        if other is None:
            assert one is None
        else:
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_autograd_of_jax(case):
    """So does jax.vjp, in float64."""
    jax = pytest.importorskip("jax", reason="autograd is the reference here")
    with jax.enable_x64(True):
        dy, x, params, state = case.inputs()
        got = anybn.batch_norm_backward(dy, x, params, state, training=case.training, **case.options)
        as_jax = jax.numpy.asarray
        kept = None if state is None else RunningStats(*(as_jax(v) if isinstance(v, np.ndarray) else v for v in state))
        options = {k: as_jax(v) if isinstance(v, np.ndarray) else v for k, v in case.options.items()}

        def forward(x, params):
            return anybn.batch_norm(x, params, kept, training=case.training, **options)[0]

        _, vjp = jax.vjp(forward, as_jax(x), jax.tree.map(as_jax, params))
        dx, dparams = vjp(as_jax(dy))
    for one, other in zip(got, (dx, *dparams), strict=True):
        if other is None:
            assert one is None
        else:
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def test_torchs_own_batch_norm():
    """The gradients are those of torch.nn.functional.batch_norm, in training and in evaluation."""
    torch = pytest.importorskip("torch", reason="torch is the reference here")
    for training in (True, False):
        case = Case("", training=training)
        dy, x, params, state = case.inputs()
        leaves = [torch.tensor(value, requires_grad=True) for value in (x, *params)]
        stats = (None, None) if training else (torch.as_tensor(state.mean), torch.as_tensor(state.var))
        torch.nn.functional.batch_norm(leaves[0], *stats, *leaves[1:], training=training).backward(torch.as_tensor(dy))
        for one, leaf in zip(anybn.batch_norm_backward(dy, x, params, state, training=training), leaves, strict=True):
            np.testing.assert_allclose(one, leaf.grad.numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_every_library(lib, training):
    """Every array library gives the gradients of NumPy, in float32, and keeps its own arrays."""
    case = Case("", {"weights": WEIGHTS} if training else {}, training=training)
    dy, x, params, state = case.inputs()
    want = anybn.batch_norm_backward(dy, x, params, state, training=training, **case.options)
    stats = None if state is None else RunningStats(lib.array(state.mean), lib.array(state.var))
    options = {name: lib.array(value) for name, value in case.options.items()}
    here = Params(*map(lib.array, params))
    got = anybn.batch_norm_backward(lib.array(dy), lib.array(x), here, stats, training=training, **options)
    for one, other in zip(got, want, strict=True):
        assert type(one) is type(lib.array(x))
        np.testing.assert_allclose(lib.numpy(one), other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_double_backward(training):
    """The forward pass and the explicit backward pass can both be differentiated again by torch."""
    torch = pytest.importorskip("torch", reason="autograd is the reference here")
    dy, x, params, state = Case("", training=training, shape=(4, 2)).inputs()
    kept = None if state is None else RunningStats(torch.as_tensor(state.mean), torch.as_tensor(state.var))
    dy, x, scale, offset = (torch.tensor(value, requires_grad=True) for value in (dy, x, *params))

    def forward(x, scale, offset):
        return anybn.batch_norm(x, Params(scale, offset), kept, training=training)[0]

    def backward(dy, x, scale):
        return anybn.batch_norm_backward(dy, x, Params(scale, offset.detach()), kept, training=training)

    assert torch.autograd.gradcheck(forward, (x, scale, offset))
    assert torch.autograd.gradgradcheck(forward, (x, scale, offset))
    assert torch.autograd.gradcheck(backward, (dy, x, scale))


@pytest.mark.parametrize("mean", [0.0, 1e4, 1e6])
def test_large_means(mean):
    """float32 data far from zero has the gradients that float64 finds for the same data."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(4096, 4)) + mean).astype(np.float32)
    dy = rng.normal(size=x.shape).astype(np.float32)
    params = Params(np.ones(4, np.float32), np.zeros(4, np.float32))
    got = anybn.batch_norm_backward(dy, x, params, training=True)
    wide = Params(*(one.astype(np.float64) for one in params))
    want = anybn.batch_norm_backward(dy.astype(np.float64), x.astype(np.float64), wide, training=True)
    for one, other in zip(got, want, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * np.abs(other).max())


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_sixteen_bits(kind):
    """16-bit input is computed in float32: 70,000 ones add up, and each gradient has the type of its array."""
    torch = pytest.importorskip("torch", reason="bfloat16 needs a library that has it")
    dtype = getattr(torch, kind)
    dy, x = (
        torch.ones(70_000, 1, dtype=dtype),
        torch.randn(70_000, 1, generator=torch.Generator().manual_seed(0)).to(dtype),
    )
    params = Params(torch.ones(1, dtype=dtype), torch.zeros(1))
    got = anybn.batch_norm_backward(dy, x, params, training=True)
    assert (got.x.dtype, got.scale.dtype, got.offset.dtype) == (dtype, dtype, torch.float32)
    assert got.offset.item() == 70_000
    assert got.x.abs().max().item() < 1e-6


def test_bfloat16_of_numpy():
    """NumPy's bfloat16 of ml_dtypes, which NumPy itself does not take for a floating type, has gradients too."""
    bfloat16 = pytest.importorskip("ml_dtypes", reason="NumPy has no bfloat16 of its own").bfloat16
    dy, x, params, _ = Case("").inputs()
    got = anybn.batch_norm_backward(
        dy.astype(bfloat16), x.astype(bfloat16), Params(*(one.astype(bfloat16) for one in params)), training=True
    )
    assert {one.dtype for one in got} == {np.dtype(bfloat16)}
    want = anybn.batch_norm_backward(dy, x, params, training=True)
    np.testing.assert_allclose(got.x.astype(float), want.x, atol=0.05)


def test_what_is_masked_does_not_leak():
    """NaN behind the mask changes no gradient, and the NaN entry gets none."""
    dy, x, params, _ = Case("").inputs()
    dirty = x.copy()
    dirty[2] = np.nan
    got = anybn.batch_norm_backward(dy, dirty, params, training=True, mask=MASK)
    assert all(np.isfinite(one).all() for one in got)
    assert (got.x[2] == 0).all()


def test_nothing_is_changed():
    """The arrays that are passed stay as they were."""
    case = Case("", {"semantics": "keras_renorm"}, stateful=True)
    inputs = case.inputs()
    anybn.batch_norm_backward(*inputs, training=True, **case.options)
    for one, other in zip(inputs, case.inputs(), strict=True):
        for kept, fresh in zip(
            *((part,) if isinstance(part, np.ndarray) else tuple(part) for part in (one, other)), strict=True
        ):
            np.testing.assert_array_equal(kept, fresh)


def test_empty_batch():
    """An empty batch gives empty and zero gradients where its semantics allows it."""
    empty = np.zeros((0, 3))
    got = anybn.batch_norm_backward(empty, empty, Params(np.ones(3), np.zeros(3)), training=True)
    assert got.x.shape == (0, 3)
    assert (got.scale == 0).all()
    assert (got.offset == 0).all()


@pytest.mark.parametrize(
    ("dy", "error", "message"),
    [
        (np.zeros((6, 3)), BadValue, r"dy does not match x: got shape \(6, 3\) for x of shape \(6, 3, 2\)"),
        (np.zeros(SHAPE, np.int64), BadType, "dy is not real floating-point data: got dtype int64"),
    ],
)
def test_refusals(dy, error, message):
    """A dy that is no gradient of y is refused."""
    with pytest.raises(error, match=message):
        anybn.batch_norm_backward(dy, np.zeros(SHAPE), training=True)


def test_one_value_per_channel_raises_as_the_forward_pass_does():
    """PyTorch's policy for one value per channel holds in both directions."""
    with pytest.raises(BadValue, match="one value per channel has no variance"):
        anybn.batch_norm_backward(np.zeros((1, 3)), np.zeros((1, 3)), training=True)
