"""The row for torch tensors on the CPU: the compiled loops on the tensor's own memory, with their own backward pass.

torch is not imported here but by the first call that needs it, and by then the caller has imported it.
"""

from functools import cache
from types import ModuleType

from anybn._typing import Array
from anybn.kernels import numba_cpu
from anybn.kernels.base import Kernel, Lane, Request, Settled
from anybn.state import Gradients, Moments, Params

BY_AUTOGRAD = {
    "moments": "autograd must see how the moments are made",
    "backward": "autograd must see how the gradients are made, to differentiate them again",
    "backward_evaluate": "autograd must see how the gradients are made, to differentiate them again",
}


@cache
def _torch() -> ModuleType:
    from anybn.kernels import torch_memory

    return torch_memory


@cache
def _modes() -> ModuleType:
    from anybn.kernels import torch_modes

    return torch_modes


def refuses(request: Request) -> str | None:
    """Return why the row does not serve the request, or None."""
    if request.library != "torch":
        return "for torch tensors"
    if request.device != "cpu":
        return f"for tensors on the CPU, not on {request.device}"
    if request.traced:
        return "values are not known under torch.compile, torch.export, vmap or torch.func"
    if request.op in BY_AUTOGRAD and request.differentiated:
        return BY_AUTOGRAD[request.op]
    reason = numba_cpu.why_not(request)
    return _modes().mode() if reason is None else reason


def forward(request: Request, x: Array, params: Params, weights: Array | None, eps: float) -> tuple[Array, Moments]:
    """Normalise by the batch's own statistics."""
    y, mean, m2 = _torch().forward(request, x, params, eps)
    return y, Moments(request.plan.count, mean, m2)


def evaluate(request: Request, x: Array, params: Params, mean: Array, var: Array, eps: float) -> Array:
    """Normalise by given statistics."""
    return _torch().evaluate(request, x, params, mean, var, eps)


def moments(request: Request, x: Array, weights: Array | None) -> Moments:
    """Return the batch's statistics."""
    return Moments(request.plan.count, *_torch().moments(request, x))


def backward(
    request: Request, dy: Array, x: Array, params: Params, moments: Moments, weights: Array | None, eps: float
) -> Gradients:
    """Gradients of `forward`."""
    return Gradients(*_torch().backward(request, dy, x, params, moments.mean, moments.m2, eps))


def backward_evaluate(
    request: Request, dy: Array, x: Array, params: Params, mean: Array, var: Array, eps: float
) -> Gradients:
    """Gradients of `evaluate`."""
    return Gradients(*_torch().backward_evaluate(request, dy, x, params, mean, var, eps))


def lane(settled: Settled) -> Lane:
    """Calls like an earlier one, in one go."""
    from anybn.kernels import torch_lane

    return torch_lane.lane(settled)


TORCH_CPU = Kernel(
    name="torch-cpu",
    refuses=refuses,
    since="0.1",
    tolerance=2e-6,
    forward=forward,
    evaluate=evaluate,
    moments=moments,
    backward=backward,
    backward_evaluate=backward_evaluate,
    lane=lane,
)
