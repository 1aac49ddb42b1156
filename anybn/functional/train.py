"""The ways in which training can differ from "normalise by this batch": each preset takes one of them."""

from collections.abc import Callable
from typing import NamedTuple

from anybn._typing import Array
from anybn.core import running
from anybn.core.moments import as_moments, centre, centre_weighted
from anybn.core.normalize import affine, broadcast, by_statistics, without_padding
from anybn.errors import AnybnError, Unsupported, bad_value, explain
from anybn.functional import run
from anybn.functional.validate import Call
from anybn.namespace import device_name
from anybn.plan import make_plan
from anybn.state import Moments, Params, RunningStats
from anybn.sync.exchange import Exchange

Reducer = Callable[[Moments], Moments]
Trained = tuple[Array, Moments | None]
"""y, and the moments to learn from: None where the preset does not learn from this batch."""

_WITH_FLOAT64 = frozenset({"numpy", "torch", "cupy", "dask", "array_api_strict"})


def train(call: Call, x: Array, state: RunningStats | None, reduce: Reducer | None) -> Trained:
    """Return y and the batch's moments, in the way of the call's semantics."""
    semantics, count = call.semantics, call.plan.count
    if reduce is not None:
        return _reduced(call, x, state, reduce)
    if check_short(call) == "identity":
        return call.xp.astype(x, x.dtype, copy=True), None
    if count == 0:
        return _empty(call, x)
    if state is not None and (semantics.normalize_by == "running" or semantics.first == "ignore"):
        moments = run.moments(call, x)
        return _by_running(call, x, state, moments), moments
    if state is not None and semantics.renorm is not None:
        bare, moments = run.forward(call, x, Params())
        return _renormed(call, bare, moments, state), moments
    y, moments = run.forward(call, x, call.params)
    return y, None if count == 1 and semantics.single == "skip" else moments


def train_ghost(call: Call, x: Array, size: int, reduce: Reducer | None) -> Trained:
    """Normalise each ghost batch of ``size`` samples by itself, all at once: the group becomes a channel axis."""
    if reduce is not None:
        raise Unsupported(
            explain(
                "ghost batches over several processes",
                got=f"ghost={size} and reduce=",
                expected="one of them: a ghost batch is smaller than a process' batch",
                hint="ghost= without reduce=",
            )
        )
    if call.semantics.renorm is not None or call.semantics.normalize_by == "running":
        raise Unsupported(
            explain(
                "ghost batches with these semantics",
                got=f"ghost={size} and semantics {call.semantics.name!r}",
                expected="semantics that normalise by the batch alone",
                hint="either ghost= or renorm, not both",
            )
        )
    grouped = group(call, x, size)
    y, moments = train(grouped.call, grouped.x, None, None)
    if moments is not None:
        moments = running.ghost(call.xp, moments, grouped.position)
    return call.xp.reshape(y, tuple(x.shape)), moments


class Grouped(NamedTuple):
    """A call on ghost batches: x with one more axis, and where that axis is among the channel axes."""

    call: Call
    x: Array
    position: int


def group(call: Call, x: Array, size: int) -> Grouped:
    """Return x with its samples apart in ghost batches, and the call that keeps those apart like channels."""
    xp, plan = call.xp, call.plan
    strided = call.semantics.ghost_order == "strided"
    grouped = xp.reshape(x, _ghost_shape(call, tuple(x.shape), size, strided))
    at = plan.batch_axis
    ghosts = at + 1 if strided else at
    axis = (ghosts, *(i + 1 if i > at else i for i in plan.axis))
    inner_plan = make_plan(tuple(grouped.shape), axis)
    weights = call.weights
    if weights is not None:
        weights = xp.broadcast_to(weights, (*weights.shape[:at], x.shape[at], *weights.shape[at + 1 :]))
        weights = xp.reshape(weights, _ghost_shape(call, tuple(weights.shape), size, strided))
    position = inner_plan.axis.index(ghosts)
    inner = call._replace(plan=inner_plan, weights=weights)
    return Grouped(inner._replace(params=_per_group(inner, position)), grouped, position)


def _ghost_shape(call: Call, shape: tuple[int, ...], size: int, strided: bool) -> tuple[int, ...]:
    at = call.plan.batch_axis
    samples = shape[at]
    if type(size) is not int or size < 1 or samples % size:
        raise bad_value(
            "ghost batches do not divide the batch",
            got=f"ghost={size!r} for {samples} samples",
            expected="a positive divisor of the number of samples",
            hint=f"ghost={samples} or drop_last=True",
        )
    parts = (size, samples // size) if strided else (samples // size, size)
    return (*shape[:at], *parts, *shape[at + 1 :])


def _per_group(call: Call, position: int) -> Params:
    xp, shape = call.xp, call.plan.param_shape
    grouped = (
        xp.broadcast_to(xp.expand_dims(one, axis=position), shape) if one is not None else None for one in call.params
    )
    return Params(*grouped)


def check_short(call: Call) -> str | None:
    """Return the preset's policy for a batch with one value per channel or none, or None; raise where that is it."""
    count = call.plan.count
    if count is None or count > 1:
        return None
    policy = call.semantics.single if count else call.semantics.empty
    if policy == "raise":
        raise _short_batch(call)
    return policy


def _short_batch(call: Call) -> AnybnError:
    empty = call.plan.count == 0
    return bad_value(
        "an empty batch" if empty else "one value per channel has no variance",
        got=f"x of shape {tuple(call.plan.shape)} with axis {call.plan.axis}, in training",
        expected=f"{'at least one value' if empty else 'more'} per channel (semantics {call.semantics.name!r})",
        hint="training=False, a larger batch, drop_last=True, or semantics='keras'",
    )


def _empty(call: Call, x: Array) -> Trained:
    xp = call.xp
    # Through the parameters, so that they get a gradient (of zeros) where somebody asks for it.
    wide = run.cast(xp, x, call.compute)
    return run.cast(xp, affine(xp, wide, call.params, call.plan), x.dtype), own_moments(call, x)


def _reduced(call: Call, x: Array, state: RunningStats | None, reduce: Reducer) -> Trained:
    if state is None or (call.semantics.normalize_by == "batch" and call.semantics.first != "ignore"):
        return _reduced_exactly(call, x, state, reduce)
    moments = merged_moments(call, own_moments(call, x), reduce)
    return _by_running(call, x, state, moments), moments


def _reduced_exactly(call: Call, x: Array, state: RunningStats | None, reduce: Reducer) -> Trained:
    """Centre by this process' mean, then shift to everybody's: a rounded global mean never meets a large x."""
    xp, plan = call.xp, call.plan
    wide = run.cast(xp, x, call.compute)
    d, own = centred(call, wide)
    merged = merged_moments(call, own, reduce)
    shift = run.cast(xp, own.mean - merged.mean, call.compute)
    if call.weights is not None:
        d = xp.where((call.weights > 0) | xp.isfinite(wide), d, -broadcast(xp, shift, plan))
    var = run.cast(xp, running.biased(xp, merged), call.compute)
    renorm = state is not None and call.semantics.renorm is not None
    params = Params() if renorm else call.params
    y = run.cast(xp, by_statistics(xp, d, -shift, var, params, plan, call.eps), x.dtype)
    return _renormed(call, y, merged, state) if renorm and state is not None else y, merged


def merged_moments(call: Call, own: Moments, reduce: Reducer) -> Moments:
    """Return everybody's moments; an engine also hears the data's dtype, on which the processes have to agree."""
    return reduce(own, dtype=call.dtype) if isinstance(reduce, Exchange) else reduce(own)


def centred(call: Call, x: Array) -> tuple[Array, Moments]:
    """Return the centred values and their moments, in float64 where the library has it (JAX by default has not)."""
    xp, plan, library = call.xp, call.plan, call.space.library.name
    wide = library in _WITH_FLOAT64 and device_name(x, call.space) != "mps"
    if plan.count == 0:
        zeros = xp.sum(xp.astype(x, xp.float64) if wide else x, axis=plan.reduce)
        return x, Moments(0 if call.weights is None else zeros, zeros, zeros)
    if call.weights is None:
        found = centre(xp, x, plan, wide=library == "numpy")
    else:
        found = centre_weighted(xp, x, call.weights, plan, wide=library == "numpy")
    return found.d, as_moments(xp, found, plan, wide=wide)


def own_moments(call: Call, x: Array) -> Moments:
    """Return this process' moments; an empty shard has count 0 and takes part all the same."""
    if call.plan.count != 0:
        return run.moments(call, x)
    zeros = call.xp.sum(run.cast(call.xp, x, call.compute), axis=call.plan.reduce)
    return Moments(0 if call.weights is None else zeros, zeros, zeros)


def _by(call: Call, x: Array, mean: Array, var: Array, params: Params) -> Array:
    """Normalise by statistics that autograd may record (kernels take them for constants)."""
    xp = call.xp
    wide = run.cast(xp, x, call.compute)
    if call.weights is not None:
        wide = without_padding(xp, wide, call.weights, mean, call.plan)
    y = by_statistics(xp, wide, mean, var, params, call.plan, call.eps)
    return run.cast(xp, y, x.dtype)


def _by_running(call: Call, x: Array, state: RunningStats, moments: Moments) -> Array:
    """Normalise by the updated running statistics; the gradient goes through this batch's share of them."""
    xp, semantics = call.xp, call.semantics
    if semantics.first == "ignore":
        first = state.steps == 0
        ahead = semantics.but(first="blend", decay=0.0, corrections=())
        batch = running.update(xp, state, moments, ahead, eps=call.eps)
        known = isinstance(first, bool)
        used = (state if first else batch) if known else running.choose(xp, first, state, batch)
    else:
        used = running.update(xp, state, moments, semantics, eps=call.eps)
    mean, var = run.cast(xp, used.mean, call.compute), run.cast(xp, used.var, call.compute)
    return _by(call, x, mean, var, call.params)


def _renormed(call: Call, bare: Array, moments: Moments, state: RunningStats) -> Array:
    xp, renorm = call.xp, call.semantics.renorm
    assert renorm is not None
    detach = call.space.library.detach
    r, d = running.renorm_factors(
        xp, state, Moments(moments.count, detach(moments.mean), detach(moments.m2)), renorm, call.eps
    )
    correction = Params(run.cast(xp, r, call.compute), run.cast(xp, d, call.compute))
    y = affine(xp, run.cast(xp, bare, call.compute), correction, call.plan)
    return run.cast(xp, affine(xp, y, call.params, call.plan), bare.dtype)
