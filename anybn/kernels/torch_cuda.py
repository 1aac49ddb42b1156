"""The row for torch tensors on a GPU: the CUDA loops on the tensor's own memory and on torch's current stream.

torch's own operation is not used, at no size: its y errs by half a unit in the last place of the mean, half a standard deviation at
mean 1e7, and whether a batch is harmless could only be known by waiting for the device. `benchmarks/gpu.py` measures it beside ours.
"""

from functools import cache
from types import ModuleType

from anybn._typing import Array
from anybn.kernels.base import Kernel, Request
from anybn.kernels.cuda_check import why_not
from anybn.kernels.torch_cpu import BY_AUTOGRAD
from anybn.state import Gradients, Moments, Params


@cache
def _torch() -> ModuleType:
    from anybn.kernels import torch_cuda_memory

    return torch_cuda_memory


def refuses(request: Request) -> str | None:
    """Return why the row does not serve the request, or None."""
    if request.library != "torch":
        return "for torch tensors"
    if request.device != "cuda":
        return f"for tensors on a GPU, not on {request.device}"
    if request.traced:
        return "values are not known under torch.compile, torch.export, vmap or torch.func"
    if request.op in BY_AUTOGRAD and request.differentiated:
        return BY_AUTOGRAD[request.op]
    return why_not(request) or _torch().not_now(request)


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
    return Gradients(*_torch().backward(request, dy, x, params, mean, var, eps, constant=True))


TORCH_CUDA = Kernel(
    name="torch-cuda",
    refuses=refuses,
    since="0.1",
    tolerance=5e-6,
    forward=forward,
    evaluate=evaluate,
    moments=moments,
    backward=backward,
    backward_evaluate=backward_evaluate,
)
