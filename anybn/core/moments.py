"""Mean and variance of a batch, centred twice.

``m0 = mean(x); d = x - m0; m1 = mean(d); d = d - m1; var = mean(d * d); mean = m0 + m1``. The first mean of
float32 data with a large mean is wrong in its last bits, and a constant becomes ±1 after division by sqrt(eps); the
second centring removes that. Never ``E[x²] - E[x]²``, never a clip: both hide the loss instead of avoiding it
(https://github.com/google/flax/issues/1491).
"""

from typing import NamedTuple

from anybn._typing import Array, Namespace, is_number
from anybn.plan import Plan
from anybn.state import Moments


class Centred(NamedTuple):
    """The batch with its mean taken away, and the statistics that broadcast against it.

    Attributes
    ----------
    d : array of x's shape
        ``x - mean`` in the computing dtype; a fresh array, free to be overwritten.
    mean, var, m2 : array of ``stat_shape``
        var is biased.
    count : int or array
        Values per channel (sum of weights); an array of ``stat_shape`` where weights decide.
    first, rest : array of ``stat_shape``
        The two parts of the mean, whose sum has more digits than ``mean``.
    """

    d: Array
    mean: Array
    var: Array
    m2: Array
    count: Array
    first: Array
    rest: Array


def centre(xp: Namespace, x: Array, plan: Plan, *, wide: bool = False, inplace: bool = False) -> Centred:
    """Centre x (N, C, …, any layout; float32 or float64) over ``plan.reduce``.

    Parameters
    ----------
    xp : namespace
    x : array
    plan : Plan
    wide : bool
        Add up in float64 (NumPy sums axis 0 one after the other, which loses 4 digits at 65,536 rows).
    inplace : bool
        Reuse our own temporaries; only where the library writes in place and nobody records gradients.
    """
    count = _count(xp, x, plan)
    m0 = add_up(xp, x, plan, wide) / count
    d = x - m0
    m1 = add_up(xp, d, plan, wide) / count
    if inplace:
        d -= m1
    else:
        d = d - m1
    m2 = add_up(xp, d * d, plan, wide)
    return Centred(d, m0 + m1, m2 / count, m2, count, m0, m1)


def centre_weighted(xp: Namespace, x: Array, weights: Array, plan: Plan, *, wide: bool = False) -> Centred:
    """Centre x by its weighted mean; what has weight 0 has no influence, not even if it is NaN.

    ``weights`` broadcasts against x, is not negative, and is in the computing dtype. A channel without any weight gets
    mean 0 and variance 0 (and count 0, by which everybody later knows). In ``d``, entries of weight 0 that are not finite
    become 0, so that neither y nor any gradient is poisoned by padding.
    """
    weights = weights * xp.ones_like(x)  # not broadcast_to: lazy libraries may not know the shape
    seen = weights > 0
    clean = xp.where(seen, x, xp.zeros_like(x))
    count = add_up(xp, weights, plan, wide)
    some = xp.where(count > 0, count, xp.ones_like(count))
    m0 = add_up(xp, weights * clean, plan, wide) / some
    usable = seen | xp.isfinite(x)
    d = xp.where(usable, x, m0) - m0
    m1 = add_up(xp, xp.where(seen, weights * d, xp.zeros_like(d)), plan, wide) / some
    d = xp.where(usable, d - m1, xp.zeros_like(d))
    m2 = add_up(xp, xp.where(seen, weights * d * d, xp.zeros_like(d)), plan, wide)
    return Centred(d, m0 + m1, m2 / some, m2, count, m0, m1)


def as_moments(xp: Namespace, centred: Centred, plan: Plan, *, wide: bool = False) -> Moments:
    """Return the statistics in ``param_shape``, for the outside; ``wide`` gives the mean's every digit, in float64."""
    count, mean, m2 = centred.count, centred.mean, centred.m2
    if wide:
        mean = xp.astype(centred.first, xp.float64) + xp.astype(centred.rest, xp.float64)
        m2 = xp.astype(m2, xp.float64)
    shape = _natural(mean, plan)
    if not is_number(count) and count.ndim:
        count = xp.reshape(xp.astype(count, mean.dtype, copy=False), shape)
    return Moments(count, xp.reshape(mean, shape), xp.reshape(m2, shape))


def _natural(stat: Array, plan: Plan) -> tuple[int, ...]:
    return tuple(stat.shape[i] for i in plan.axis)


def _count(xp: Namespace, x: Array, plan: Plan) -> Array | int:
    if plan.count is not None:
        return plan.count
    # Sizes a lazy library does not know yet: count ones, lazily.
    return add_up(xp, xp.ones_like(x), plan, False)


def add_up(xp: Namespace, x: Array, plan: Plan, wide: bool) -> Array:
    """Return the sum over the reduced axes in ``stat_shape``; ``wide`` adds in float64 and rounds once."""
    if not wide:
        return xp.sum(x, axis=plan.reduce, keepdims=True)
    total = xp.sum(x, axis=plan.reduce, keepdims=True, dtype=xp.float64)
    return xp.astype(total, x.dtype, copy=False)
