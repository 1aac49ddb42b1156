"""The maths of `anybn.core` as the last row of the table: any array library, never refuses."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from anybn._typing import Array, Namespace
from anybn.core.backward import through_batch, through_statistics
from anybn.core.dense import forward as forward_dense
from anybn.core.moments import Centred, as_moments, centre, centre_weighted
from anybn.core.normalize import apply, by_statistics, inverse_std
from anybn.kernels.base import Kernel, Request
from anybn.plan import make_plan
from anybn.state import Gradients, Moments, Params

_IN_PLACE = frozenset({"numpy", "cupy", "torch"})
_LARGE = 1 << 15  # values from which blocks are worth their bookkeeping
_SMALL = frozenset({"float16", "bfloat16"})


def forward(request: Request, x: Array, params: Params, weights: Array | None, eps: float) -> tuple[Array, Moments]:
    """Normalise by the batch's own statistics."""
    xp = request.xp
    found = _forward_by_blocks(request, x, params, eps) if _by_blocks(request, x) else None
    if found is not None:
        return found
    inplace = _free(request)
    centred = _centre(request, x, weights)
    y = apply(xp, centred.d, inverse_std(xp, centred.var, eps), params, request.plan, inplace=inplace)
    return _narrow(request, y, x), as_moments(xp, centred, request.plan)


def evaluate(request: Request, x: Array, params: Params, mean: Array, var: Array, eps: float) -> Array:
    """Normalise by given statistics."""
    y = by_statistics(request.xp, _widen(request, x), mean, var, params, request.plan, eps, inplace=_free(request))
    return _narrow(request, y, x)


class _Packed(NamedTuple):
    """x in memory order, as (outer, channels, inner); where y goes (perhaps x's copy itself), and the way back."""

    x: Array
    out: Array
    shape: tuple[int, ...]
    back: tuple[int, ...]

    def unpack(self, xp: Namespace) -> Array:
        return xp.permute_dims(xp.reshape(self.out, self.shape), self.back)


def _by_blocks(request: Request, x: Array) -> bool:
    return request.library == "numpy" and not request.weighted and x.size >= _LARGE


def _pack(request: Request, x: Array) -> _Packed | None:
    """Return x for the maths by blocks; None where the channels do not lie together in memory."""
    xp, plan = request.xp, request.plan
    wide = _widen(request, x)
    order = sorted(range(plan.ndim), key=lambda i: (-abs(wide.strides[i]), i))
    axes = tuple(order.index(i) for i in plan.axis)
    packed = xp.permute_dims(wide, tuple(order))
    layout = make_plan(packed.shape, axes).layout
    if layout is None or tuple(sorted(axes)) != axes:
        return None
    fresh = wide is not x
    if not packed.flags.c_contiguous:
        # A copy in memory order costs a pass, but is where y will be.
        packed, fresh = xp.asarray(packed, copy=True, order="C"), True
    out = packed if fresh else xp.empty_like(packed)
    back = tuple(order.index(i) for i in range(plan.ndim))
    return _Packed(xp.reshape(packed, layout), xp.reshape(out, layout), packed.shape, back)


def _flat(xp: Namespace, arrays: Iterable[Array | None]) -> Iterator[Array | None]:
    return (None if one is None else xp.reshape(one, (-1,)) for one in arrays)


def _forward_by_blocks(request: Request, x: Array, params: Params, eps: float) -> tuple[Array, Moments] | None:
    """Do it by blocks, in memory order; None where that cannot be, or a sum overflowed."""
    xp, plan = request.xp, request.plan
    packed = _pack(request, x)
    if packed is None:
        return None
    with xp.errstate(over="ignore", invalid="ignore"):
        found = forward_dense(xp, packed.x, packed.out, Params(*_flat(xp, params)), eps)
    if found is None:
        return None
    mean, m2 = (xp.reshape(xp.astype(one, packed.out.dtype), plan.param_shape) for one in found)
    assert plan.count is not None
    return _narrow(request, packed.unpack(xp), x), Moments(plan.count, mean, m2)


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
