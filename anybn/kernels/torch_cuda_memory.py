"""The CUDA loops on the memory of torch tensors, and the `torch.autograd.Function` around them. Imported by the first call."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from anybn.kernels import cuda_launch
from anybn.kernels.base import Request, Settled
from anybn.kernels.cuda_check import self_check
from anybn.kernels.portable import PORTABLE
from anybn.kernels.torch_modes import differentiable, differentiable_evaluation, mode, readable, strided_like
from anybn.plan import Plan
from anybn.state import Gradients, Moments, Params

Parts = tuple[Tensor, Tensor | None, Tensor | None]


def _device(x: Tensor) -> cuda_launch.Device:
    from anybn.kernels import cuda_device

    return cuda_device.of_torch(x.device.index)


def not_now(request: Request) -> str | None:
    """Return which mode of torch the row must not work under, or what its check of itself on this device says; or None."""
    return mode() or _checked(request.xp, request.dtype, torch.cuda.current_device())


@cache
def _checked(xp: Any, dtype: str, device: int) -> str | None:
    def make(shape: tuple[int, ...]) -> Tensor:
        return (torch.randn(shape, device=f"cuda:{device}") + 3).to(getattr(torch, dtype))

    def first(request: Request, x: Tensor, params: Params, _: Any, eps: float) -> tuple[Tensor, Moments]:
        y, mean, m2 = forward(request, x, params, eps)
        return y, Moments(request.plan.count, mean, m2)

    def second(
        request: Request, dy: Tensor, x: Tensor, params: Params, moments: Moments, _: Any, eps: float
    ) -> Gradients:
        return Gradients(*backward(request, dy, x, params, moments.mean, moments.m2, eps))

    return self_check(make, first, second, Request("forward", xp, "torch", dtype, "cuda", Plan((), (), (), (), (), 0)))


def _laid(request: Request, x: Tensor) -> tuple[Tensor, Plan]:
    """Return x without history, or a copy without gaps, and the plan of how it lies."""
    made = cuda_launch.in_memory_order(request.plan, x.stride())
    return (x.detach(), made) if made is not None else (x.detach().contiguous(), request.plan)


def _flat(vector: Tensor | None) -> Tensor | None:
    return None if vector is None else vector.detach().contiguous().view(-1)


def _run_forward(request: Request, x: Tensor, params: Params, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    x, made = _laid(request, x)
    y = torch.empty_like(x)
    found = cuda_launch.forward(_device(x), made, request.dtype, x, y, eps, _flat(params.scale), _flat(params.offset))
    mean, m2 = (one.view(request.plan.param_shape) for one in found)
    return y, mean, m2


def _run_evaluate(request: Request, x: Tensor, params: Params, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    x, made = _laid(request, x)
    y = torch.empty_like(x)
    vectors = _flat(mean), _flat(var), _flat(params.scale), _flat(params.offset)
    cuda_launch.evaluate(_device(x), made, request.dtype, x, y, eps, *vectors)
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
    x, made = _laid(request, x)
    _, mean, m2 = cuda_launch.Launch(made, request.dtype, _device(x), x).statistics(x, 1.0, None, None)
    return mean.view(request.plan.param_shape), m2.view(request.plan.param_shape)


def backward(
    request: Request, dy: Tensor, x: Tensor, params: Params, center: Tensor, spread: Tensor, eps: float,
    *, constant: bool = False,
) -> Parts:  # fmt: skip
    """Return the gradients for x, scale and offset; ``spread`` is m2, or the variance where the statistics are ``constant``."""
    x, made = _laid(request, x)
    dx, dy = torch.empty_like(x), strided_like(dy, x)
    dy = dy if dy.stride() == x.stride() else torch.empty_like(x).copy_(dy)
    vectors = _flat(params.scale), _flat(center), _flat(spread)
    found = cuda_launch.backward(_device(x), made, request.dtype, (dy, x, dx), eps, *vectors, constant=constant)
    scale, offset = (
        None if param is None else one.view(request.plan.param_shape) for param, one in zip(params, found, strict=True)
    )
    return dx, scale, offset


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
        params, nothing = Params(scale, offset), (None, None, None, None)
        if torch.is_grad_enabled():
            return *differentiable_evaluation(Settled(request, eps, None), dy, x, params, mean, var), *nothing
        return *backward(request, dy, x, params, mean, var, eps, constant=True), *nothing
