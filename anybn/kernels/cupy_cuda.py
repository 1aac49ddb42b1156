"""The row for CuPy arrays: fused statistics and normalisation in CUDA, deterministic, sums in float64.

Before its first use on a device and dtype it computes a few small cases and compares them with the portable row; if one disagrees
or does not compile, it refuses from then on and says so.
"""

from functools import cache
from types import ModuleType
from typing import Any

from anybn._typing import Array
from anybn.kernels.base import Kernel, Request
from anybn.kernels.portable import PORTABLE
from anybn.plan import plan
from anybn.state import Gradients, Moments, Params

DTYPES = frozenset({"float16", "bfloat16", "float32", "float64"})
CHECKED = ((4, 3, 5, 7), (3, 8, 4, 4), (300, 3), (64, 33), (2, 1, 4099))
BOUNDS = {"float16": 4e-3, "bfloat16": 4e-2, "float32": 1e-5, "float64": 1e-12}


@cache
def _launch() -> ModuleType:
    from anybn.kernels import cuda_launch

    return cuda_launch


def refuses(request: Request) -> str | None:
    """Return why the row does not serve the request, or None."""
    if request.library != "cupy":
        return "for CuPy arrays"
    if request.dtype not in DTYPES:
        return f"no loop for dtype {request.dtype}"
    if request.weighted:
        return "weights and masks are the portable kernel's"
    if not request.plan.count or not request.plan.channels:
        return "nothing to compute"
    if request.plan.layout is None:
        return "channel axes that are apart"
    return _self_check(request.xp, request.dtype, _device())


def _device() -> int:
    return int(_launch().cp.cuda.Device().id)


@cache
def _self_check(xp: Any, dtype: str, device: int) -> str | None:
    cp = _launch().cp
    try:
        for shape in CHECKED:
            x = cp.random.RandomState(0).standard_normal(shape).astype(cp.float32) + 3
            request = Request("forward", xp, "cupy", dtype, "cuda", plan(shape, 1))
            x = x.astype(dtype)
            found, moments = forward(request, x, Params(), None, 1e-5)
            wanted, _ = PORTABLE.forward(request, x, Params(), None, 1e-5)  # type: ignore[misc]
            dx = backward(request, x, x, Params(), moments, None, 1e-5).x
            want_dx = PORTABLE.backward(request, x, x, Params(), moments, None, 1e-5).x  # type: ignore[misc]
            for one, other in ((found, wanted), (dx, want_dx)):
                worst = float(cp.abs(one.astype(cp.float64) - other.astype(cp.float64)).max())
                if not worst <= BOUNDS[dtype]:
                    return f"its self-check failed on this device: off by {worst:.1e} for shape {shape}"
    except Exception as error:  # a compiler or driver that does not work: the portable row still does
        return f"its self-check failed on this device: {type(error).__name__}: {error}"[:300]
    return None


def forward(request: Request, x: Array, params: Params, weights: Array | None, eps: float) -> tuple[Array, Moments]:
    """Normalise by the batch's own statistics."""
    cp = _launch().cp
    x = cp.ascontiguousarray(x)
    y = cp.empty_like(x)
    launch = _launch().Launch(request.plan, request.dtype, x, y)
    line, mean, m2 = launch.statistics(x, eps, _flat(params.scale), _flat(params.offset))
    launch.apply("apply", x, y, line)
    return y, _moments(request, mean, m2)


def evaluate(request: Request, x: Array, params: Params, mean: Array, var: Array, eps: float) -> Array:
    """Normalise by given statistics."""
    cp = _launch().cp
    x = cp.ascontiguousarray(x)
    y = cp.empty_like(x)
    slope = 1.0 / cp.sqrt(_flat(var) + eps)
    slope = slope if params.scale is None else slope * _flat(params.scale)
    height = cp.zeros_like(slope) if params.offset is None else _flat(params.offset)
    launch = _launch().Launch(request.plan, request.dtype, x, y)
    launch.apply("apply", x, y, cp.concatenate([_flat(mean), slope, height]))
    return y


def moments(request: Request, x: Array, weights: Array | None) -> Moments:
    """Return the batch's statistics."""
    x = _launch().cp.ascontiguousarray(x)
    _, mean, m2 = _launch().Launch(request.plan, request.dtype, x).statistics(x, 1.0, None, None)
    return _moments(request, mean, m2)


def backward(
    request: Request, dy: Array, x: Array, params: Params, moments: Moments, weights: Array | None, eps: float
) -> Gradients:
    """Gradients of `forward`."""
    cp = _launch().cp
    x, dy = cp.ascontiguousarray(x), cp.ascontiguousarray(dy.astype(x.dtype, copy=False))
    dx = cp.empty_like(x)
    launch = _launch().Launch(request.plan, request.dtype, x, dy, dx)
    line, d_scale, d_offset = launch.gradients(x, dy, eps, _flat(params.scale), _flat(moments.mean), _flat(moments.m2))
    launch.apply("gradient_apply", x, dy, dx, line)
    shape = request.plan.param_shape
    scale, offset = (
        None if param is None else one.reshape(shape) for param, one in zip(params, (d_scale, d_offset), strict=True)
    )
    return Gradients(dx, scale, offset)


def _flat(vector: Array) -> Any:
    # None, for a parameter that is absent, stays None.
    return None if vector is None else _launch().cp.ascontiguousarray(vector).reshape(-1)


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
)
