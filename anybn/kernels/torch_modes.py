"""When the memory of torch tensors may be read behind torch's back, and gradients that torch itself can differentiate again."""

import torch
from torch import Tensor

from anybn.kernels.base import Settled
from anybn.kernels.portable import PORTABLE
from anybn.state import Params


def mode() -> str | None:
    """Return in which mode of torch memory must not be read behind its back, or None."""
    if torch._C._get_tracing_state() is not None:
        return "torch.jit.trace records operations"
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "inside vmap or torch.func"
    if torch.autograd.forward_ad._current_level >= 0:
        return "forward-mode differentiation"
    if torch._C._len_torch_dispatch_stack() > 0:
        return "a dispatch mode watches the operations"
    return None


def readable(x: Tensor) -> bool:
    """Whether the tensor is what its memory says."""
    # A subclass may be anything (distributed, quantised); a lazily negated or sparse tensor is not what its memory says.
    return type(x) in (Tensor, torch.nn.Parameter) and x.layout == torch.strided and not x.is_neg()


def strided_like(dy: Tensor, x: Tensor) -> Tensor:
    """Return dy without history, in x's dtype, as numbers in memory."""
    if dy.__class__ is not Tensor or dy.dtype is not x.dtype or dy.layout is not torch.strided or dy.is_neg():
        dy = dy.detach().to(x.dtype)
        dy = (dy if dy.layout == torch.strided else dy.to_dense()).resolve_neg()
    if 0 in dy.stride():  # of a sum: one number for all; the loops are for numbers side by side
        dy = torch.empty_like(x, requires_grad=False).copy_(dy.detach())
    return dy


def differentiable(settled: Settled, dy: Tensor, x: Tensor, params: Params) -> list[Tensor | None]:
    """Return the gradients of the training pass with their own graph."""
    y, _ = PORTABLE.forward(settled.request, x, params, None, settled.eps)  # type: ignore[misc]
    return _through(y, dy, x, params)


def differentiable_evaluation(
    settled: Settled, dy: Tensor, x: Tensor, params: Params, mean: Tensor, var: Tensor
) -> list[Tensor | None]:
    """Return the gradients of the evaluation pass with their own graph."""
    y = PORTABLE.evaluate(settled.request, x, params, mean.detach(), var.detach(), settled.eps)  # type: ignore[misc]
    return _through(y, dy, x, params)


def _through(y: Tensor, dy: Tensor, x: Tensor, params: Params) -> list[Tensor | None]:
    inputs = [one for one in (x, *params) if one is not None and one.requires_grad]
    found = iter(torch.autograd.grad(y, inputs, dy, create_graph=True, allow_unused=True))
    return [next(found) if one is not None and one.requires_grad else None for one in (x, *params)]
