"""The gradients of batch norm, written out, for libraries without automatic differentiation.

With ``d = x - mean``, ``s = 1 / sqrt(var + eps)``, weights ``w`` (1 without them) and their sum ``W``, all sums over
the reduced axes::

    d_offset = sum(dy)
    d_scale  = s * sum(dy * d)
    dx       = scale * s * (dy - w / W * sum(dy) - w / W * d * s**2 * sum(dy * d))      through the batch's statistics
    dx       = scale * s * dy                                                           statistics are constants

(Ioffe and Szegedy 2015, section 3, with weights: an entry of weight 0 is normalised too, so its ``dy`` counts in the
sums, while its ``x`` moves no statistic.) No mean of squares is subtracted from anything; d is centred once more, as in
the forward pass.
"""

from collections.abc import Callable
from typing import NamedTuple

from anybn._typing import Array, Namespace
from anybn.core.merge import Joint
from anybn.core.moments import add_up
from anybn.core.normalize import broadcast, inverse_std
from anybn.core.running import biased
from anybn.plan import Plan
from anybn.state import Gradients, Moments, Params


class _Sums(NamedTuple):
    """``sum(dy)`` and ``sum(dy * d)`` in ``stat_shape``."""

    dy: Array
    dy_d: Array


def through_batch(
    xp: Namespace,
    dy: Array,
    x: Array,
    params: Params,
    moments: Moments,
    weights: Array | None,
    plan: Plan,
    eps: float,
    *,
    wide: bool = False,
) -> Gradients:
    """Gradients of the training pass for ``dy``, in the computing dtype.

    Parameters
    ----------
    dy, x : array of ``plan.shape``
    params : Params of ``param_shape`` arrays
    moments : Moments
        Of x, as the forward pass returned them.
    weights : array that broadcasts against x, or None
        As in the forward pass.
    wide : bool
        Add up in float64, see `anybn.core.moments.centre`.
    """
    share = _share(xp, x, moments, weights, plan)
    d = _centred(xp, x, moments, share, plan, wide=wide)
    inverse = inverse_std(xp, broadcast(xp, biased(xp, moments), plan), eps)
    seen = dy if weights is None else xp.where(_usable(xp, x, share), dy, xp.zeros_like(dy))
    sums = _Sums(add_up(xp, seen, plan, wide), add_up(xp, seen * d, plan, wide))
    dx = _factor(xp, inverse, params, plan) * (seen - share * (sums.dy + d * (inverse * inverse * sums.dy_d)))
    total = sums.dy if weights is None else add_up(xp, dy, plan, wide)
    return _gradients(xp, dx, inverse * sums.dy_d, total, params, plan)


def through_merged(
    xp: Namespace,
    dy: Array,
    x: Array,
    centred: Array,
    own: Moments,
    params: Params,
    weights: Array | None,
    plan: Plan,
    eps: float,
    *,
    joint: Callable[[Moments, Array, Array], Joint],
    wide: bool = False,
) -> Gradients:
    """Gradients of the training pass of one shard of a batch whose moments are merged over processes.

    Like `through_batch`, but ``centred`` and ``own`` are ``x - mean`` and the moments of this shard alone, and ``joint``
    merges them and ``sum(dy)``, ``sum(dy * centred)`` over the processes, all in one message. The parameters' gradients
    stay those of this shard.
    """
    seen = dy
    if weights is not None:
        seen = xp.where((weights > 0) | xp.isfinite(x), dy, xp.zeros_like(dy))
    shape, kind = tuple(own.mean.shape), own.mean.dtype
    sums = (add_up(xp, seen, plan, wide), add_up(xp, seen * centred, plan, wide))
    own_dy, own_dy_d = (xp.reshape(xp.astype(one, kind, copy=False), shape) for one in sums)
    every = joint(own, own_dy, own_dy_d)
    shift = own.mean - every.moments.mean

    def spread(one: Array) -> Array:
        return broadcast(xp, xp.astype(one, x.dtype, copy=False), plan)

    share = _share(xp, x, every.moments._replace(count=_like(xp, every.moments.count, x)), weights, plan)
    d = centred + spread(shift)
    inverse = inverse_std(xp, spread(biased(xp, every.moments)), eps)
    own_d_scale = sums[1] + spread(shift) * sums[0]
    dx = _factor(xp, inverse, params, plan) * (
        seen - share * (spread(every.dy) + d * (inverse * inverse * spread(every.dy_d)))
    )
    return _gradients(xp, dx, inverse * own_d_scale, add_up(xp, dy, plan, wide), params, plan)


def _like(xp: Namespace, count: Array | float, x: Array) -> Array | float:
    return count if isinstance(count, int | float) else xp.astype(count, x.dtype, copy=False)


def through_statistics(
    xp: Namespace,
    dy: Array,
    x: Array,
    params: Params,
    mean: Array,
    var: Array,
    plan: Plan,
    eps: float,
    *,
    wide: bool = False,
) -> Gradients:
    """Gradients of the evaluation pass for ``dy``, in the computing dtype; mean and var are constants."""
    inverse = inverse_std(xp, broadcast(xp, var, plan), eps)
    d_scale = inverse * add_up(xp, dy * (x - broadcast(xp, mean, plan)), plan, wide)
    dx = dy * _factor(xp, inverse, params, plan)
    return _gradients(xp, dx, d_scale, add_up(xp, dy, plan, wide), params, plan)


def through_moments(
    xp: Namespace,
    d_mean: Array,
    d_m2: Array,
    x: Array,
    moments: Moments,
    weights: Array | None,
    plan: Plan,
    *,
    wide: bool = False,
) -> Array:
    """Return the gradient for x of the mean and the sum of squares, ``w / W * d_mean + 2 * w * d * d_m2``.

    d_mean and d_m2 have ``param_shape``; moments are those of x alone. For batch norms that normalise by something made
    of the moments, as Equinox does by the running statistics after their update.
    """
    share = _share(xp, x, moments, weights, plan)
    d = _centred(xp, x, moments, share, plan, wide=wide)
    twice = 2.0 * d if weights is None else 2.0 * weights * d
    return share * broadcast(xp, d_mean, plan) + twice * broadcast(xp, d_m2, plan)


def _share(xp: Namespace, x: Array, moments: Moments, weights: Array | None, plan: Plan) -> Array | float:
    """Return ``w / W``, each entry's share in the mean: one number, or an array that broadcasts against x."""
    count = moments.count
    if isinstance(count, int | float):
        some: Array | float = count or 1
    else:
        some = xp.where(count > 0, count, xp.ones_like(count))
        some = broadcast(xp, some, plan) if count.ndim else some
    return 1.0 / some if weights is None else xp.broadcast_to(weights, x.shape) / some


def _centred(xp: Namespace, x: Array, moments: Moments, share: Array | float, plan: Plan, *, wide: bool) -> Array:
    """Return ``x - mean``, centred a second time because the mean was rounded to x's dtype."""
    mean = broadcast(xp, moments.mean, plan)
    if isinstance(share, float):
        d = x - mean
        return d - add_up(xp, d, plan, wide) * share
    usable = _usable(xp, x, share)
    d = xp.where(usable, x, mean) - mean
    return xp.where(usable, d - add_up(xp, share * d, plan, wide), xp.zeros_like(d))


def _usable(xp: Namespace, x: Array, share: Array | float) -> Array:
    """Where the forward pass used x: it has a weight, or is at least finite."""
    return (share > 0) | xp.isfinite(x)


def _factor(xp: Namespace, inverse: Array, params: Params, plan: Plan) -> Array:
    return inverse if params.scale is None else inverse * broadcast(xp, params.scale, plan)


def _gradients(xp: Namespace, dx: Array, d_scale: Array, d_offset: Array, params: Params, plan: Plan) -> Gradients:
    shape = tuple(d_scale.shape[i] for i in plan.axis)
    return Gradients(
        dx,
        None if params.scale is None else xp.reshape(d_scale, shape),
        None if params.offset is None else xp.reshape(d_offset, shape),
    )
