"""torch CPU tensors on their own memory: values, gradients of gradients, and when the row leaves it to the portable maths."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

import anybn  # noqa: E402
from anybn import Params, RunningStats  # noqa: E402
from anybn.kernels import use  # noqa: E402

DTYPES = {"float32": 2e-6, "float64": 1e-13, "bfloat16": 1e-2, "float16": 1e-3}


def run(x, axis, training):
    """y and all gradients of a sum of cubes."""
    kind = torch.float64 if x.dtype == torch.float64 else torch.float32
    generator = torch.Generator().manual_seed(5)
    scale, offset, mean, var = (torch.rand(x.shape[axis], dtype=kind, generator=generator) + 0.5 for _ in range(4))
    leaves = [one.detach().requires_grad_() for one in (x, scale, offset)]
    y, _ = anybn.batch_norm(
        leaves[0], Params(*leaves[1:]), RunningStats(mean, var), training=training, axis=axis, semantics="keras"
    )
    (y.to(kind) ** 3).sum().backward()
    return [y.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "view",
    [
        lambda x: (x, 1),
        lambda x: (x, -1),
        lambda x: (x[:, :, ::2, 1:], 1),
        lambda x: (x.permute(0, 3, 1, 2), 1),
        lambda x: (x.to(memory_format=torch.channels_last), 1),
        lambda x: (x[:1].expand(6, -1, -1, -1), 1),
        lambda x: (x[:, :, 0, 0], 1),
    ],
)
def test_agrees_with_the_portable_row(view, dtype, training):
    """y and the gradients are those of the portable row, for any strides and dtype, in training and evaluation."""
    torch.manual_seed(0)
    x, axis = view((torch.randn(6, 5, 7, 8) + 2).to(getattr(torch, dtype)))
    assert anybn.why(x, axis=axis).chosen == "torch-cpu"
    found = run(x, axis, training)
    with use("portable"):
        wanted = run(x, axis, training)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        size = 1 + other.double().abs().max()
        assert (one.double() - other.double()).abs().max() <= DTYPES[dtype] * size * (10 if one is not found[0] else 1)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_of_gradients(training):
    """Gradients and their gradients pass torch's own checks."""
    torch.manual_seed(0)
    x, scale, offset = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in [(4, 3, 5), (3,), (3,)]
    )
    state = RunningStats(torch.randn(3), torch.rand(3) + 0.5)

    def normalise(x, scale, offset):
        return anybn.batch_norm(x, Params(scale, offset), state, training=training)[0]

    assert torch.autograd.gradcheck(normalise, (x, scale, offset))
    assert torch.autograd.gradgradcheck(normalise, (x, scale, offset))


def test_only_what_is_asked_for_gets_a_gradient():
    """With a frozen input or frozen parameters the others' gradients are the same, and the frozen ones have none."""
    x = torch.randn(8, 3)
    scale = torch.ones(3, requires_grad=True)
    y, _ = anybn.batch_norm(x, Params(scale, torch.zeros(3)), training=True)
    assert y.requires_grad
    (grad,) = torch.autograd.grad(y[:, 0].sum() + (y[:, 1] * y[:, 1].detach()).sum(), scale)
    torch.testing.assert_close(
        grad, torch.stack([y[:, 0].sum(), (y[:, 1] ** 2).sum(), torch.tensor(0.0)]).detach(), atol=1e-5, rtol=0
    )


def test_nothing_is_recorded_without_need():
    """Under no_grad, y has no history."""
    x = torch.randn(8, 3, requires_grad=True)
    with torch.no_grad():
        y, _ = anybn.batch_norm(x, training=True)
    assert y.grad_fn is None


def reason_under(check):
    """What `why` says about the row in some mode."""
    return next(verdict.reason for verdict in check() if verdict.kernel == "torch-cpu")


def test_leaves_transforms_to_the_portable_row():
    """vmap, torch.func.grad, jit.trace, forward mode and dispatch modes give the same numbers, by the portable row."""
    x = torch.randn(4, 8, 3)
    wanted = torch.stack([anybn.batch_norm(one, training=True)[0] for one in x])
    mapped = torch.func.vmap(lambda one: anybn.batch_norm(one, training=True)[0])(x)
    torch.testing.assert_close(mapped, wanted)
    gradient = torch.func.grad(lambda one: (anybn.batch_norm(one, training=True)[0] ** 3).sum())(x[0])
    leaf = x[0].clone().requires_grad_()
    (anybn.batch_norm(leaf, training=True)[0] ** 3).sum().backward()
    torch.testing.assert_close(gradient, leaf.grad, atol=1e-5, rtol=1e-5)


def test_traces_are_no_constants():
    """A jit trace records operations: run on other data it normalises those."""
    with pytest.warns():
        traced = torch.jit.trace(lambda x: anybn.batch_norm(x, training=True)[0], torch.randn(8, 3))
    x = torch.randn(8, 3) * 5 + 1
    torch.testing.assert_close(traced(x), anybn.batch_norm(x, training=True)[0], atol=1e-5, rtol=1e-5)


def test_forward_mode_is_differentiated():
    """A dual number keeps its tangent: the row refuses, with its reason."""
    x, tangent = torch.randn(8, 3), torch.randn(8, 3)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, tangent)
        assert reason_under(lambda: anybn.why(dual)) == "forward-mode differentiation"
        y, _ = anybn.batch_norm(dual, training=True)
        assert torch.autograd.forward_ad.unpack_dual(y).tangent is not None


def test_lazily_negated_tensors_are_not_misread():
    """The memory of a lazily negated tensor holds the opposite numbers."""
    z = torch.randn(16, 3, dtype=torch.complex64)
    x = z.conj().imag
    assert x.is_neg()
    torch.testing.assert_close(anybn.batch_norm(x, training=True)[0], anybn.batch_norm(x.clone(), training=True)[0])


def test_large_tensors_come_out_whole():
    """Results from the size on from which huge pages are asked for are as exact as small ones."""
    x = torch.randn(2, 3, 1500, 1501)
    y, _ = anybn.batch_norm(x, training=True)
    wide = x.double()
    wanted = (wide - wide.mean((0, 2, 3), keepdim=True)) / (
        wide.var((0, 2, 3), keepdim=True, correction=0) + 1e-5
    ).sqrt()
    assert (y.double() - wanted).abs().max() < 1e-6
