"""Gradients flow through y and nowhere else: torch and JAX, first and second order, vmap, masks, every way of training."""

from contextlib import nullcontext

import numpy as np
import pytest

import anybn
from anybn import kernels

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True, params=["fastest", "portable"])
def row(request):
    """Each rule holds on whatever kernel comes first, and on the portable one."""
    with kernels.use("portable") if request.param == "portable" else nullcontext():
        yield


WAYS = ["torch", "keras", "contrib_zero_debias", "equinox_ema", "keras_renorm", "haiku"]


def arrays(shape=(5, 3, 2), seed=0):
    """x, scale and offset in float64 as leaves."""
    rng = np.random.default_rng(seed)
    values = rng.normal(2, 1, shape), rng.normal(1, 0.2, 3), rng.normal(0, 1, 3)
    return tuple(torch.tensor(v, requires_grad=True) for v in values)


def fresh(semantics="torch"):
    """State after one step, so that it is not trivial."""
    state = anybn.init(3, xp=torch, dtype=torch.float64, semantics=semantics)[1]
    x = torch.tensor(np.random.default_rng(9).normal(1, 2, (6, 3)))
    return anybn.batch_norm(x, None, state, training=True, semantics=semantics)[1]


@pytest.mark.parametrize(
    ("semantics", "training"),
    # Not keras_renorm in training: its r and d are constants of the gradient, which is then no derivative of y.
    [(way, training) for way in WAYS for training in (True, False) if (way, training) != ("keras_renorm", True)],
)
def test_gradients_against_finite_differences(semantics, training):
    """First and second order, for x, scale and offset, in the ways of training that take their own path."""
    state = fresh(semantics)

    def y(x, scale, offset):
        params = anybn.Params(scale, offset)
        return anybn.batch_norm(x, params, state, training=training, semantics=semantics)[0]

    assert torch.autograd.gradcheck(y, arrays())
    assert torch.autograd.gradgradcheck(y, arrays())


def test_gradient_of_renorm_takes_r_and_d_as_constants():
    """(Ioffe 2017, section 3.) The gradient is that of plain batch norm with scale * r."""
    x, scale, offset = arrays()
    state = fresh("keras_renorm")
    y, _ = anybn.batch_norm(x, anybn.Params(scale, offset), state, training=True, semantics="keras_renorm")
    got = torch.autograd.grad(y.pow(2).sum(), (x, scale, offset), retain_graph=True)
    eps, axes = 1e-3, (0, 2)
    mean, var = x.mean(axes, keepdim=True), x.var(axes, correction=0, keepdim=True)
    std = state.renorm_std[:, None].clamp(min=eps**0.5)
    r = ((var + eps).sqrt() / std).detach()
    d = ((mean - state.renorm_mean[:, None]) / std).detach()
    z = ((x - mean) / (var + eps).sqrt() * r + d) * scale[:, None] + offset[:, None]
    want = torch.autograd.grad(z.pow(2).sum(), (x, scale, offset))
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w)


@pytest.mark.parametrize("kind", ["mask", "weights", "ghost"])
def test_gradients_with_mask_weights_and_ghost_batches(kind):
    """Differences agree through masks, weights and ghost batches."""
    options = {
        "mask": {"mask": torch.tensor([True, True, False, True, True, True])},
        "weights": {"weights": torch.tensor([1.0, 0.5, 0.0, 2.0, 1.0, 3.0])},
        "ghost": {"ghost": 3},
    }[kind]
    x, scale, offset = arrays((6, 3, 2))

    def y(x, scale, offset):
        return anybn.batch_norm(x, anybn.Params(scale, offset), None, training=True, **options)[0]

    assert torch.autograd.gradcheck(y, (x, scale, offset))


def test_padding_does_not_poison_gradients():
    """NaN under the mask gives gradients that are finite everywhere and zero at the padding, as those of the rest alone."""
    x, scale, offset = arrays((6, 3, 2))
    mask = torch.tensor([True, True, False, True, True, False])
    dirty = torch.where(mask[:, None, None], x.detach(), torch.nan).requires_grad_()
    y, _ = anybn.batch_norm(dirty, anybn.Params(scale, offset), None, training=True, mask=mask)
    got = torch.autograd.grad((y.pow(3) * mask[:, None, None]).sum(), (dirty, scale, offset))
    clean = x.detach()[mask].requires_grad_()
    z, _ = anybn.batch_norm(clean, anybn.Params(scale, offset), None, training=True)
    want = torch.autograd.grad(z.pow(3).sum(), (clean, scale, offset))
    torch.testing.assert_close(got[0][mask], want[0])
    assert (got[0][~mask] == 0).all()
    torch.testing.assert_close(got[1:], want[1:])


def test_gradients_equal_torchs_own():
    """The same gradients as F.batch_norm, in float64."""
    x, scale, offset = arrays((8, 3, 4))
    ours, _ = anybn.batch_norm(x, anybn.Params(scale, offset), None, training=True)
    theirs = torch.nn.functional.batch_norm(x, None, None, scale, offset, training=True)
    seed = torch.randn_like(ours)
    for g, w in zip(
        torch.autograd.grad(ours, (x, scale, offset), seed),
        torch.autograd.grad(theirs, (x, scale, offset), seed),
        strict=True,
    ):
        torch.testing.assert_close(g, w)


@pytest.mark.parametrize("semantics", WAYS)
def test_state_carries_no_gradient(semantics):
    """No returned statistic remembers how it was made, or the graph would grow with every step."""
    x, scale, offset = arrays()
    state = anybn.init(3, xp=torch, dtype=torch.float64, semantics=semantics)[1]
    for _ in range(2):
        y, state = anybn.batch_norm(
            x, anybn.Params(scale, offset), state, training=True, semantics=semantics, guard=True
        )
        assert y.requires_grad
        assert not any(torch.is_tensor(value) and value.requires_grad for value in state)


def test_empty_batch_gives_zero_gradients():
    """As torch does, so that a rank without data takes part in the step."""
    _, scale, offset = arrays()
    x = torch.zeros(0, 3, 2, dtype=torch.float64, requires_grad=True)
    y, _ = anybn.batch_norm(x, anybn.Params(scale, offset), None, training=True)
    got = torch.autograd.grad(y.sum(), (x, scale, offset))
    assert [g.shape for g in got] == [x.shape, scale.shape, offset.shape]
    assert all((g == 0).all() for g in got)


def test_inference_mode_and_parameters():
    """nn.Parameter, no_grad and inference_mode are used as they come."""
    scale = torch.nn.Parameter(torch.ones(3))
    x = torch.randn(4, 3)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            y, _ = anybn.batch_norm(x, anybn.Params(scale), None, training=True)
            assert not y.requires_grad
    y, _ = anybn.batch_norm(x, anybn.Params(scale), None, training=True)
    assert y.requires_grad


def test_vmap_and_func_grad():
    """torch.func.vmap over networks and torch.func.grad give what a loop gives."""
    x = torch.randn(4, 8, 3)
    state = anybn.init(3, xp=torch)[1]

    def one(x):
        y, new = anybn.batch_norm(x, None, state, training=True)
        return y, new.mean

    y, mean = torch.func.vmap(one)(x)
    for i in range(4):
        torch.testing.assert_close(y[i], one(x[i])[0])
        torch.testing.assert_close(mean[i], one(x[i])[1])
    gradients = torch.func.vmap(torch.func.grad(lambda x: one(x)[0].pow(3).sum()))(x)
    for i in range(4):
        leaf = x[i].clone().requires_grad_()
        (want,) = torch.autograd.grad(one(leaf)[0].pow(3).sum(), leaf)
        torch.testing.assert_close(gradients[i], want, atol=1e-5, rtol=1e-4)


def jax_arrays():
    """JAX with x, params and the NumPy truth of the same values."""
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    x, scale, offset = (
        v.astype(np.float32) for v in (rng.normal(2, 1, (8, 3)), rng.normal(1, 0.2, 3), rng.normal(0, 1, 3))
    )
    return jax, x, scale, offset


@pytest.mark.parametrize("semantics", WAYS)
def test_jax_jit_grad_vmap(semantics):
    """jit gives what eager gives, grad what torch gives, vmap what a loop gives; the state stays a pytree."""
    jax, x, scale, offset = jax_arrays()
    jnp = jax.numpy
    _, state = anybn.init(3, xp=jnp, semantics=semantics)

    def step(x, scale, offset, state):
        return anybn.batch_norm(x, anybn.Params(scale, offset), state, training=True, semantics=semantics)

    fast = jax.jit(step)
    one, other = state, state
    for k in range(3):
        y, one = step(jnp.asarray(x * (k + 1)), scale_j := jnp.asarray(scale), jnp.asarray(offset), one)
        z, other = fast(jnp.asarray(x * (k + 1)), scale_j, jnp.asarray(offset), other)
        np.testing.assert_allclose(y, z, atol=2e-6)
        for a, b in zip(one, other, strict=True):
            if a is not None:
                np.testing.assert_allclose(a, b, rtol=2e-6)

    def loss(x, scale, offset):
        return (step(x, scale, offset, state)[0] ** 3).sum()

    got = jax.grad(loss, (0, 1, 2))(jnp.asarray(x), jnp.asarray(scale), jnp.asarray(offset))
    leaves = [torch.tensor(v, requires_grad=True) for v in (x, scale, offset)]
    tstate = anybn.init(3, xp=torch, semantics=semantics)[1]
    y, _ = anybn.batch_norm(leaves[0], anybn.Params(*leaves[1:]), tstate, training=True, semantics=semantics)
    for g, w in zip(got, torch.autograd.grad(y.pow(3).sum(), leaves), strict=True):
        np.testing.assert_allclose(g, w, atol=2e-4, rtol=1e-4)

    many = jax.vmap(lambda x: step(x, jnp.asarray(scale), jnp.asarray(offset), state)[0])(jnp.stack([x, 2 * x]))
    np.testing.assert_allclose(many[1], step(jnp.asarray(2 * x), scale_j, jnp.asarray(offset), state)[0], atol=2e-6)


def test_jax_state_carries_no_gradient():
    """A loss of the returned statistics has gradient zero: they are constants."""
    jax, x, *_ = jax_arrays()
    _, state = anybn.init(3, xp=jax.numpy)

    def leak(x):
        return anybn.batch_norm(x, None, state, training=True)[1].mean.sum()

    assert (np.asarray(jax.grad(leak)(jax.numpy.asarray(x))) == 0).all()


def test_jax_scan_over_steps():
    """The state is a carry of lax.scan once its counters are arrays."""
    jax, x, *_ = jax_arrays()
    jnp = jax.numpy
    _, state = anybn.init(3, xp=jnp, semantics="haiku")
    carry = state._replace(steps=jnp.asarray(0), skipped=jnp.asarray(0))

    def step(carry, x):
        y, carry = anybn.batch_norm(x, None, carry, training=True, semantics="haiku", guard=True)
        return carry, y

    batches = jnp.stack([x, 2 * x, 3 * x])
    last, _ = jax.lax.scan(step, carry, batches)
    for batch in batches:
        _, state = anybn.batch_norm(batch, None, state, training=True, semantics="haiku", guard=True)
    np.testing.assert_allclose(last.var, state.var, rtol=1e-6)
    assert int(last.steps) == int(state.steps) == 3
