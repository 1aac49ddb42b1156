"""The maths of `anybn.core` as the last row of the table: any array library, never refuses."""

from anybn._typing import Array
from anybn.core.backward import through_batch, through_statistics
from anybn.core.moments import Centred, as_moments, centre, centre_weighted
from anybn.core.normalize import apply, by_statistics, inverse_std
from anybn.kernels.base import Kernel, Request
from anybn.state import Gradients, Moments, Params

_IN_PLACE = frozenset({"numpy", "cupy", "torch"})
_SMALL = frozenset({"float16", "bfloat16"})


def forward(request: Request, x: Array, params: Params, weights: Array | None, eps: float) -> tuple[Array, Moments]:
    """Normalise by the batch's own statistics."""
    xp = request.xp
    inplace = _free(request)
    centred = _centre(request, x, weights)
    y = apply(xp, centred.d, inverse_std(xp, centred.var, eps), params, request.plan, inplace=inplace)
    return _narrow(request, y, x), as_moments(xp, centred, request.plan)


def evaluate(request: Request, x: Array, params: Params, mean: Array, var: Array, eps: float) -> Array:
    """Normalise by given statistics."""
    y = by_statistics(request.xp, _widen(request, x), mean, var, params, request.plan, eps, inplace=_free(request))
    return _narrow(request, y, x)


def moments(request: Request, x: Array, weights: Array | None) -> Moments:
    """Return the batch's statistics."""
    return as_moments(request.xp, _centre(request, x, weights), request.plan)


def backward(
    request: Request,
    dy: Array,
    x: Array,
    params: Params,
    moments: Moments,
    weights: Array | None,
    eps: float,
) -> Gradients:
    """Return the gradients of `forward`."""
    xp, plan = request.xp, request.plan
    wide = request.library == "numpy"
    dx, *others = through_batch(
        xp, _widen(request, dy), _widen(request, x), params, moments, weights, plan, eps, wide=wide
    )
    return Gradients(_narrow(request, dx, x), *others)


def backward_evaluate(
    request: Request, dy: Array, x: Array, params: Params, mean: Array, var: Array, eps: float
) -> Gradients:
    """Return the gradients of `evaluate`."""
    xp, plan = request.xp, request.plan
    wide = request.library == "numpy"
    dx, *others = through_statistics(
        xp, _widen(request, dy), _widen(request, x), params, mean, var, plan, eps, wide=wide
    )
    return Gradients(_narrow(request, dx, x), *others)


def _centre(request: Request, x: Array, weights: Array | None) -> Centred:
    xp, plan = request.xp, request.plan
    wide = request.library == "numpy"
    x = _widen(request, x)
    if weights is not None:
        return centre_weighted(xp, x, weights, plan, wide=wide)
    return centre(xp, x, plan, wide=wide, inplace=_free(request))


def _free(request: Request) -> bool:
    return request.library in _IN_PLACE and not (request.traced or request.differentiated)


def _widen(request: Request, x: Array) -> Array:
    # 16-bit sums stop at 2048 (float16) or 256 (bfloat16), and squares overflow at 256.
    return request.xp.astype(x, request.xp.float32) if request.dtype in _SMALL else x


def _narrow(request: Request, y: Array, x: Array) -> Array:
    return request.xp.astype(y, x.dtype) if request.dtype in _SMALL else y


def _never_refuses(_: Request) -> str | None:
    return None


PORTABLE = Kernel(
    name="portable",
    refuses=_never_refuses,
    since="0.1",
    tolerance=0.0,
    forward=forward,
    evaluate=evaluate,
    moments=moments,
    backward=backward,
    backward_evaluate=backward_evaluate,
)
