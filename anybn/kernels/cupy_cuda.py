"""The row for CuPy arrays: fused statistics and normalisation in CUDA, deterministic, sums in float64.

Before its first use on a device and dtype it computes a few small cases and compares them with the portable row; if one disagrees
or does not compile, it refuses from then on and says so.
"""

from functools import cache
from types import ModuleType
from typing import Any

from anybn._typing import Array
from anybn.kernels.base import Kernel, Request
from anybn.kernels.cuda_check import self_check, why_not
from anybn.plan import Plan
from anybn.state import Gradients, Moments, Params


@cache
def _cp() -> Any:
    import cupy

    return cupy


@cache
def _cuda() -> ModuleType:
    from anybn.kernels import cuda_launch

    return cuda_launch


def _device(x: Array) -> Any:
    from anybn.kernels import cuda_device

    return cuda_device.of_cupy(int(x.device.id))


def refuses(request: Request) -> str | None:
    """Return why the row does not serve the request, or None."""
    if request.library != "cupy":
        return "for CuPy arrays"
    return why_not(request) or _checked(request.xp, request.dtype, int(_cp().cuda.Device().id))


@cache
def _checked(xp: Any, dtype: str, device: int) -> str | None:
    cp = _cp()

    def make(shape: tuple[int, ...]) -> Array:
        return (cp.random.RandomState(0).standard_normal(shape).astype(cp.float32) + 3).astype(dtype)

    return self_check(
        make, forward, backward, Request("forward", xp, "cupy", dtype, "cuda", Plan((), (), (), (), (), 0))
    )


def _laid(request: Request, x: Array) -> tuple[Array, Plan]:
    """Return x, or a copy without gaps, and the plan of how it lies."""
    steps = [step // x.itemsize for step in x.strides]
    made = _cuda().in_memory_order(request.plan, steps)
    return (x, made) if made is not None else (_cp().ascontiguousarray(x), request.plan)


def _like(dy: Array, x: Array) -> Array:
    if dy.dtype == x.dtype and dy.strides == x.strides:
        return dy
    laid = _cp().empty_like(x)
    laid[...] = dy
    return laid


def forward(request: Request, x: Array, params: Params, weights: Array | None, eps: float) -> tuple[Array, Moments]:
    """Normalise by the batch's own statistics."""
    x, made = _laid(request, x)
    y = _cp().empty_like(x)
    return y, _moments(request, *_cuda().forward(_device(x), made, request.dtype, x, y, eps, *map(_flat, params)))


def evaluate(request: Request, x: Array, params: Params, mean: Array, var: Array, eps: float) -> Array:
    """Normalise by given statistics."""
    x, made = _laid(request, x)
    y = _cp().empty_like(x)
    _cuda().evaluate(_device(x), made, request.dtype, x, y, eps, _flat(mean), _flat(var), *map(_flat, params))
    return y


def moments(request: Request, x: Array, weights: Array | None) -> Moments:
    """Return the batch's statistics."""
    x, made = _laid(request, x)
    _, mean, m2 = _cuda().Launch(made, request.dtype, _device(x), x).statistics(x, 1.0, None, None)
    return _moments(request, mean, m2)


def backward(
    request: Request, dy: Array, x: Array, params: Params, moments: Moments, weights: Array | None, eps: float
) -> Gradients:
    """Gradients of `forward`."""
    return _gradients(request, dy, x, params, moments.mean, moments.m2, eps, constant=False)


def backward_evaluate(
    request: Request, dy: Array, x: Array, params: Params, mean: Array, var: Array, eps: float
) -> Gradients:
    """Gradients of `evaluate`."""
    return _gradients(request, dy, x, params, mean, var, eps, constant=True)


def _gradients(
    request: Request, dy: Array, x: Array, params: Params, center: Array, spread: Array, eps: float, *, constant: bool
) -> Gradients:
    x, made = _laid(request, x)
    operands = _like(dy, x), x, _cp().empty_like(x)
    vectors = _flat(params.scale), _flat(center), _flat(spread)
    found = _cuda().backward(_device(x), made, request.dtype, operands, eps, *vectors, constant=constant)
    shape = request.plan.param_shape
    scale, offset = (None if param is None else one.reshape(shape) for param, one in zip(params, found, strict=True))
    return Gradients(operands[2], scale, offset)


def _flat(vector: Array | None) -> Any:
    return None if vector is None else _cp().ascontiguousarray(vector).reshape(-1)


def _moments(request: Request, mean: Array, m2: Array) -> Moments:
    shape = request.plan.param_shape
    return Moments(request.plan.count, mean.reshape(shape), m2.reshape(shape))


CUPY = Kernel(
    name="cupy-cuda",
    refuses=refuses,
    since="0.1",
    tolerance=5e-6,
    forward=forward,
    evaluate=evaluate,
    moments=moments,
    backward=backward,
    backward_evaluate=backward_evaluate,
)
