"""The only place where running statistics move, for every path, so that each preset is the same on every kernel."""

import math
from collections.abc import Callable
from math import expm1, inf, log
from typing import NamedTuple

from anybn._typing import Array, Device, Dtype, Namespace, Shape, is_number
from anybn.semantics.model import Renorm, Semantics
from anybn.state import Moments, RunningStats


def initial(xp: Namespace, shape: Shape, dtype: Dtype, device: Device, semantics: Semantics) -> RunningStats:
    """Return mean 0 and variance 1 of this shape, and whatever else the semantics keeps."""
    zeros = xp.zeros(shape, dtype=dtype, device=device)
    ones = xp.ones(shape, dtype=dtype, device=device)
    stats = RunningStats(zeros, ones)
    if semantics.renorm is None:
        return stats
    return stats._replace(std=ones, renorm_mean=zeros, renorm_std=ones)


class Batch(NamedTuple):
    """One batch's statistics as the update sees them: ``param_shape``, the state's dtype.

    ``usable`` is None where every channel has values (the shape says so), else a boolean array per channel.
    """

    mean: Array
    var: Array
    biased: Array
    usable: Array | None


def update(
    xp: Namespace, state: RunningStats, moments: Moments, semantics: Semantics, *, eps: float, guard: bool = False
) -> RunningStats:
    """Return the state after one training batch.

    Parameters
    ----------
    xp : namespace
    state : RunningStats
    moments : Moments
        Of the batch; without gradient history.
    semantics : Semantics
    eps : float
        Batch renormalisation averages ``sqrt(var + eps)``.
    guard : bool
        Keep the old state, and count a skipped step, where any statistic of the batch is not finite.
    """
    steps = state.steps + 1
    if is_number(moments.count) and moments.count == 0 and semantics.empty == "skip":
        return state._replace(steps=steps)
    batch = _batch(xp, state.mean.dtype, moments, semantics)
    new = _moved(xp, state, batch, semantics, steps, eps)
    if not guard:
        return new
    fine = xp.all(xp.isfinite(batch.mean)) & xp.all(xp.isfinite(batch.var))
    return _guarded(xp, fine, new, state)


def ghost(xp: Namespace, moments: Moments, axis: int) -> Moments:
    """Return the average over ghost batches (along ``axis``) as one batch's moments, as virtual batches average them.

    It is the plain mean of the groups' variances: what varies between groups is not in it.
    """
    mean, var = xp.mean(moments.mean, axis=axis), xp.mean(biased(xp, moments), axis=axis)
    count = moments.count
    each = count if is_number(count) else xp.mean(count, axis=axis)
    return Moments(each, mean, var * each)


def weight_of_new(xp: Namespace, steps: Array, decay: float | None, debias: bool, like: Array) -> Array:
    """Return the weight of the batch that makes step number ``steps``.

    Zero debias keeps ``hidden = decay * hidden + (1 - decay) * batch`` from 0 and shows ``hidden / (1 - decay**steps)``.
    The shown value obeys ``shown += w * (batch - shown)`` with ``w = (1 - decay) / (1 - decay**steps)``, so no hidden
    copy is needed; expm1 keeps all digits of ``1 - decay**1``.
    """
    known = is_number(steps)
    if decay is None:
        return 1 / steps if known else 1 / xp.astype(steps, like.dtype)
    if not debias or decay in (0.0, 1.0):
        return 1.0 - decay
    rate = log(decay)
    if known:
        return (1.0 - decay) / -expm1(steps * rate)
    return (decay - 1.0) / xp.expm1(xp.astype(steps, like.dtype) * rate)


def divided(xp: Namespace, state: RunningStats, decay: float | None) -> tuple[Array, Array]:
    """Return mean and var divided by ``1 - decay**steps`` (at step 0: as they are), the debias of evaluation only."""
    if decay is None or decay in (0.0, 1.0):
        return state.mean, state.var
    if is_number(state.steps):
        total: Array = -expm1(state.steps * log(decay)) if state.steps else 1.0
    else:
        steps = xp.astype(state.steps, state.mean.dtype)
        total = xp.where(steps > 0, -xp.expm1(steps * log(decay)), xp.ones_like(steps))
    return state.mean / total, state.var / total


def _batch(xp: Namespace, dtype: Dtype, moments: Moments, semantics: Semantics) -> Batch:
    count = moments.count
    mean, m2 = _cast(xp, moments.mean, dtype), _cast(xp, moments.m2, dtype)
    if is_number(count):
        var = population = m2 / max(count, 1)
        for correction in semantics.corrections:
            # One value says nothing about the spread: TensorFlow's fused op divides by max(n - 1, 1), so do we.
            var = var * (count / (count - correction if count > correction else 1))
        return Batch(mean, var, population, None)
    count = _cast(xp, count, dtype)
    one = xp.ones_like(count)
    var = population = m2 / xp.where(count > 0, count, one)
    for correction in semantics.corrections:
        var = var * (count / xp.where(count > correction, count - correction, one))
    enough = 0.0 if semantics.single == "compute" else max(semantics.corrections, default=0.0)
    usable = None if semantics.empty == "decay" else count > enough
    return Batch(mean, var, population, usable)


def _cast(xp: Namespace, x: Array, dtype: Dtype) -> Array:
    return x if x.dtype == dtype else xp.astype(x, dtype)


def _moved(
    xp: Namespace, state: RunningStats, batch: Batch, semantics: Semantics, steps: Array, eps: float
) -> RunningStats:
    mean_weight, var_weight = weights(xp, semantics, steps, state.mean)
    mean = _blend(xp, state.mean, batch.mean, mean_weight, batch.usable)
    if semantics.renorm is not None:
        return _renormed(xp, state._replace(mean=mean, steps=steps), batch, semantics.renorm, mean_weight, eps)
    var = _blend(xp, state.var, batch.var, var_weight, batch.usable)
    return state._replace(mean=mean, var=var, steps=steps)


def weights(xp: Namespace, semantics: Semantics, steps: Array, like: Array) -> tuple[Array, Array]:
    """Return the weights in the running mean and variance of the batch that makes step number ``steps``; numbers for a number."""

    def weight(debias: bool) -> Array:
        return _first(xp, weight_of_new(xp, steps, semantics.decay, debias, like), steps, semantics)

    mean = weight(semantics.debias != "none")
    return mean, mean if semantics.debias != "mean" else weight(False)


class Rule(NamedTuple):
    """`update` as a few numbers, for a kernel that moves the statistics in the same go as it computes y.

    ``new = old * (1 - weight) + batch * weight`` with ``weights(steps)`` for mean and variance (the old value itself for weight 0,
    the batch's for 1), the variance being ``m2 / count * correction``, each step rounded to the state's dtype.
    """

    weights: Callable[[int], tuple[float, float]]
    correction: float


def rule(semantics: Semantics, count: int) -> Rule | None:
    """Return the semantics' update as numbers, or None where it is more than that."""
    plain = semantics.normalize_by == "batch" and semantics.first != "ignore" and semantics.renorm is None
    if not plain or count < 2 or len(semantics.corrections) > 1:
        return None
    correction = math.prod((count / (count - one if count > one else 1) for one in semantics.corrections), start=1.0)
    if semantics.decay is not None and semantics.debias == "none" and semantics.first == "blend":
        fixed = 1.0 - semantics.decay, 1.0 - semantics.decay
        return Rule(lambda _: fixed, correction)
    return Rule(lambda steps: weights(None, semantics, steps, None), correction)


def _first(xp: Namespace, weight: Array, steps: Array, semantics: Semantics) -> Array:
    if semantics.first == "blend":
        return weight
    first = 1.0 if semantics.first == "replace" else 0.0
    if is_number(steps):
        return first if steps == 1 else weight
    one = xp.ones_like(xp.astype(steps, xp.float32))
    return xp.where(steps == 1, one * first, one * weight)


def _renormed(
    xp: Namespace, state: RunningStats, batch: Batch, renorm: Renorm, weight: Array, eps: float
) -> RunningStats:
    std = xp.sqrt(batch.biased + eps)
    slow = 1.0 - renorm.decay
    moved = _blend(xp, state.std, std, weight, batch.usable)
    var = moved * moved - eps
    return state._replace(
        std=moved,
        var=xp.where(var > 0, var, xp.zeros_like(var)),
        renorm_mean=_blend(xp, state.renorm_mean, batch.mean, slow, batch.usable),
        renorm_std=_blend(xp, state.renorm_std, std, slow, batch.usable),
    )


def _blend(xp: Namespace, old: Array, new: Array, weight: Array, usable: Array | None) -> Array:
    if is_number(weight):
        # Not 0 * new or 0 * old: what has no weight may be NaN.
        moved = old if weight == 0 else new if weight == 1 else old * (1.0 - weight) + new * weight
    else:
        weight = xp.astype(weight, old.dtype)
        moved = xp.where(weight < 1, old * (1 - weight) + new * weight, new)
        moved = xp.where(weight > 0, moved, old)
    return moved if usable is None else xp.where(usable, moved, old)


def _guarded(xp: Namespace, fine: Array, new: RunningStats, old: RunningStats) -> RunningStats:
    counted = xp.astype(fine, xp.int32)
    kept = choose(xp, fine, new, old)
    return kept._replace(steps=old.steps + counted, skipped=old.skipped + (1 - counted))


def choose(xp: Namespace, first: Array, one: RunningStats, other: RunningStats) -> RunningStats:
    """Return the arrays of ``one`` where ``first`` (0-d boolean array) is true, else of ``other``; its counters."""

    def pick(a: Array | None, b: Array | None) -> Array | None:
        return None if a is None else xp.where(first, a, b)

    return other._replace(
        mean=pick(one.mean, other.mean),
        var=pick(one.var, other.var),
        std=pick(one.std, other.std),
        renorm_mean=pick(one.renorm_mean, other.renorm_mean),
        renorm_std=pick(one.renorm_std, other.renorm_std),
    )


def biased(xp: Namespace, moments: Moments) -> Array:
    """Return the biased variance, 0 for a channel without values."""
    count = moments.count
    if is_number(count):
        return moments.m2 / max(count, 1)
    return moments.m2 / xp.where(count > 0, count, xp.ones_like(count))


def renorm_factors(
    xp: Namespace, state: RunningStats, moments: Moments, renorm: Renorm, eps: float
) -> tuple[Array, Array]:
    """Return the clipped r and d of batch renormalisation, in the state's dtype, ``param_shape``."""
    dtype = state.mean.dtype
    var = _cast(xp, biased(xp, moments), dtype)
    floor = eps**0.5
    std = xp.where(state.renorm_std > floor, state.renorm_std, xp.full_like(state.renorm_std, floor))
    r = xp.sqrt(var + eps) / std
    d = (_cast(xp, moments.mean, dtype) - state.renorm_mean) / std
    r = _clip(xp, r, renorm.rmin, renorm.rmax)
    return r, d if renorm.dmax is None else _clip(xp, d, -renorm.dmax, renorm.dmax)


def _clip(xp: Namespace, x: Array, low: float | None, high: float | None) -> Array:
    if low is None and high is None:
        return x
    return xp.clip(x, -inf if low is None else low, inf if high is None else high)
