"""Compiled loops on the memory of torch CPU tensors, and the `torch.autograd.Function` around them.

Double backward goes through the portable formula, which torch differentiates by itself.
"""

import ctypes
import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anybn.kernels import numba_back, numba_drive, numba_forward
from anybn.kernels.base import Request, Settled
from anybn.kernels.portable import PORTABLE
from anybn.kernels.thresholds import HUGE_PAGES_FROM
from anybn.kernels.torch_modes import differentiable, differentiable_evaluation, readable, strided_like
from anybn.state import Moments, Params

Parts = tuple[Tensor, Tensor | None, Tensor | None]
MADV_HUGEPAGE = 14
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _fresh(x: Tensor) -> Tensor:
    """Return an uninitialised tensor like x; large ones on huge pages, which halves the time to write them (as NumPy does)."""
    y = torch.empty_like(x)
    if y.nbytes >= HUGE_PAGES_FROM:
        ask_for_huge_pages(y)
    return y


def ask_for_huge_pages(y: Tensor) -> None:
    """Let the system back these bytes by huge pages, if it can."""
    if _libc is not None:
        start = -(-y.data_ptr() // 4096) * 4096
        _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(y.nbytes - 4096), MADV_HUGEPAGE)


def _job(request: Request, *operands: Tensor) -> numba_drive.Job:
    strides = tuple([one.stride() for one in operands])
    addresses = tuple([one.data_ptr() for one in operands])
    return numba_drive.job(request.dtype, request.plan, strides, 1, addresses, torch.get_num_threads)


_NOTHING: dict[torch.dtype, Any] = {torch.float32: np.empty(0, np.float32), torch.float64: np.empty(0, np.float64)}


def array_of(vector: Tensor | None, dtype: torch.dtype) -> Any:
    """Return a parameter as the loops want it: flat, contiguous; empty if there is none."""
    return _NOTHING[dtype] if vector is None else vector.detach().contiguous().view(-1).numpy()


def _vector(vector: Tensor | None, request: Request) -> Any:
    return array_of(vector, torch.float64 if request.dtype == "float64" else torch.float32)


def _tensor(vector: Any, request: Request) -> Tensor:
    return torch.from_numpy(vector).view(request.plan.param_shape)


def _run_forward(request: Request, x: Tensor, params: Params, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    y = _fresh(x)
    scale, offset = _vector(params.scale, request), _vector(params.offset, request)
    mean, m2 = numba_forward.forward(_job(request, x, y), eps, scale, offset)
    return y, _tensor(mean, request), _tensor(m2, request)


def _run_evaluate(request: Request, x: Tensor, params: Params, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    y = _fresh(x)
    scale, offset = _vector(params.scale, request), _vector(params.offset, request)
    statistics = _vector(mean, request), _vector(var, request)
    numba_forward.evaluate(_job(request, x, y), eps, *statistics, scale, offset)
    return y


def forward(request: Request, x: Tensor, params: Params, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return y, mean and m2."""
    if not readable(x):
        y, (_, mean, m2) = PORTABLE.forward(request, x, params, None, eps)  # type: ignore[misc]
        return y, mean, m2
    if request.differentiated:
        y, mean, m2 = _Forward.apply(x, *params, request, eps)
        return y, mean, m2
    return _run_forward(request, x, params, eps)


def evaluate(request: Request, x: Tensor, params: Params, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    """Return y."""
    # A batch's own share in the statistics (blended evaluation) is autograd's to follow.
    if not readable(x) or mean.requires_grad or var.requires_grad:
        return PORTABLE.evaluate(request, x, params, mean, var, eps)  # type: ignore[misc]
    if request.differentiated:
        return _Evaluate.apply(x, *params, mean, var, request, eps)
    return _run_evaluate(request, x, params, mean, var, eps)


def moments(request: Request, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and m2."""
    if not readable(x):
        _, mean, m2 = PORTABLE.moments(request, x, None)  # type: ignore[misc]
        return mean, m2
    mean, m2 = numba_forward.moments(_job(request, x))
    return _tensor(mean, request), _tensor(m2, request)


def backward(request: Request, dy: Tensor, x: Tensor, params: Params, mean: Tensor, m2: Tensor, eps: float) -> Parts:
    """Return the gradients for x, scale and offset."""
    x, dy = x.detach(), strided_like(dy, x)
    if not readable(x):
        given = Moments(request.plan.count, mean, m2)
        found = PORTABLE.backward(request, dy, x, params, given, None, eps)  # type: ignore[misc]
        return found.x, found.scale, found.offset
    dx = _fresh(x)
    this = _job(request, dy, x, dx)
    found = numba_back.backward(this, eps, _vector(mean, request), _vector(m2, request), _vector(params.scale, request))
    return dx, *_of_params(request, params, found)


def backward_evaluate(
    request: Request, dy: Tensor, x: Tensor, params: Params, mean: Tensor, var: Tensor, eps: float
) -> Parts:
    """Return the gradients for x, scale and offset where the statistics are constants."""
    x, dy = x.detach(), strided_like(dy, x)
    if not readable(x):
        found = PORTABLE.backward_evaluate(request, dy, x, params, mean, var, eps)  # type: ignore[misc]
        return found.x, found.scale, found.offset
    dx = _fresh(x)
    wanted = params.scale is not None or params.offset is not None
    statistics = _vector(mean, request), _vector(var, request)
    found = numba_back.backward_evaluate(
        _job(request, dy, x, dx), eps, *statistics, _vector(params.scale, request), wanted
    )
    return dx, *_of_params(request, params, found)


def _of_params(request: Request, params: Params, found: tuple[Any, Any]) -> tuple[Tensor | None, Tensor | None]:
    scale, offset = (None if param is None else _tensor(one, request) for param, one in zip(params, found, strict=True))
    return scale, offset


class _Forward(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor | None, offset: Tensor | None, request: Request, eps: float) -> Any:
        y, mean, m2 = _run_forward(request, x, Params(scale, offset), eps)
        ctx.save_for_backward(x, scale, offset, mean, m2)
        ctx.mark_non_differentiable(mean, m2)
        ctx.set_materialize_grads(False)
        ctx.call = request, eps
        return y, mean, m2

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        dy, (request, eps) = grads[0], ctx.call
        if dy is None:
            return None, None, None, None, None
        x, scale, offset, mean, m2 = ctx.saved_tensors
        params = Params(scale, offset)
        if torch.is_grad_enabled():  # somebody will differentiate this gradient
            return *differentiable(Settled(request, eps, None), dy, x, params), None, None
        return *backward(request, dy, x, params, mean, m2, eps), None, None


class _Evaluate(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor | None, offset: Tensor | None,
        mean: Tensor, var: Tensor, request: Request, eps: float,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, scale, offset, mean, var)
        ctx.call = request, eps
        return _run_evaluate(request, x, Params(scale, offset), mean, var, eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        dy, (request, eps) = grads[0], ctx.call
        x, scale, offset, mean, var = ctx.saved_tensors
        params = Params(scale, offset)
        if torch.is_grad_enabled():
            found = differentiable_evaluation(Settled(request, eps, None), dy, x, params, mean, var)
            return *found, None, None, None, None
        return *backward_evaluate(request, dy, x, params, mean, var, eps), None, None, None, None
