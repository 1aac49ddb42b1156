"""`batch_norm_backward`: the gradients of `batch_norm`, for whoever has no automatic differentiation."""

from functools import partial
from typing import Protocol

from anybn._typing import Array
from anybn.core import running
from anybn.core.backward import through_merged, through_moments
from anybn.core.merge import Joint
from anybn.errors import Unsupported, bad_type, bad_value, explain
from anybn.functional import run
from anybn.functional.train import centred, check_short, group
from anybn.functional.validate import FLOATS, Call, check
from anybn.kernels.base import Op, Request
from anybn.kernels.table import choose
from anybn.namespace import dtype_name
from anybn.semantics import Semantics
from anybn.state import Gradients, Moments, Params, RunningStats
from anybn.sync.exchange import Exchange


class GradientReducer(Protocol):
    """A reducer of `anybn.sync`: merges moments, alone and together with the sums of a backward pass."""

    def __call__(self, moments: Moments, /) -> Moments: ...

    def joint(self, moments: Moments, dy: Array, dy_d: Array, /) -> Joint: ...


def batch_norm_backward(
    dy: Array,
    x: Array,
    params: Params | None = None,
    state: RunningStats | None = None,
    *,
    training: bool,
    axis: int | tuple[int, ...] = 1,
    semantics: str | Semantics = "torch",
    eps: float | None = None,
    decay: float | None = None,
    mask: Array | None = None,
    weights: Array | None = None,
    ghost: int | None = None,
    reduce: GradientReducer | None = None,
) -> Gradients:
    """Gradients of ``y, _ = batch_norm(x, params, state, …)``, given the gradient for y.

    Everything but ``dy`` is what `batch_norm` was called with; ``state`` is the one *before* the call. In training the
    gradient goes through the batch's statistics, in evaluation they are constants. An entry of weight 0 moves no
    statistic, but is normalised, so its ``dy`` counts.

    Parameters
    ----------
    dy : array of x's shape
        Gradient of the loss for y.
    x, params, state, training, axis, semantics, eps, decay, mask, weights, ghost
        See `batch_norm`. ``state`` is needed in evaluation, and in training where the semantics normalises by it
        (batch renormalisation, Equinox' "ema").
    reduce : reducer, optional
        The reducer of `anybn.sync` that the forward pass used; every process calls with its own shard. The gradients of
        scale and offset are the shard's: add them up over the processes for those of the whole batch.

    Returns
    -------
    Gradients
        For x, scale and offset, each in the type of its array; None for a parameter that is not there.

    Raises
    ------
    BadValue, BadType
        As `batch_norm`, and for a dy that does not have x's shape or is no floating-point data.

    Notes
    -----
    Ioffe and Szegedy 2015, section 3; with weights in `anybn.core.backward`. Batch renormalisation (Ioffe 2017): no
    gradient through r and d.

    Examples
    --------
    >>> import numpy as np, anybn
    >>> x = np.array([[1.0], [3.0]])
    >>> anybn.batch_norm_backward(np.ones((2, 1)), x, training=True).x
    array([[0.],
           [0.]])
    """
    call = check(
        x, params, state, training=training, axis=axis, semantics=semantics, eps=eps, decay=decay, mask=mask, weights=weights,
    )  # fmt: skip
    dy = _check_dy(call, dy, x)
    if training and reduce is not None:
        found = _merged(call, dy, x, state, ghost, reduce)
    else:
        found = _evaluation(call, dy, x, state) if not training else _training(call, dy, x, state, ghost)
    return _like_params(call, found, params or Params())


def _training(call: Call, dy: Array, x: Array, state: RunningStats | None, ghost: int | None) -> Gradients:
    if ghost is not None:
        grouped = group(call, x, ghost)
        inner = _training(grouped.call, call.xp.reshape(dy, tuple(grouped.x.shape)), grouped.x, None, None)
        sums = (None if one is None else call.xp.sum(one, axis=grouped.position) for one in inner[1:])
        return Gradients(call.xp.reshape(inner.x, tuple(x.shape)), *sums)
    if check_short(call) == "identity" or call.plan.count == 0:
        return _nothing(call, dy)
    semantics = call.semantics
    if state is not None and semantics.first == "ignore":
        return _first_ignored(call, dy, x, state)
    if state is not None and semantics.normalize_by == "running":
        return _through_running(call, dy, x, state)
    if state is not None and semantics.renorm is not None:
        return _renormed(call, dy, x, state)
    return _through_batch(call, dy, x, call.params)


def _merged(
    call: Call, dy: Array, x: Array, state: RunningStats | None, ghost: int | None, reduce: GradientReducer
) -> Gradients:
    special = state is not None and (call.semantics.renorm is not None or call.semantics.normalize_by == "running")
    if ghost is not None or special:
        raise Unsupported(
            explain(
                "the gradient of merged statistics with these semantics",
                got=f"semantics {call.semantics.name!r}, ghost={ghost}",
                expected="semantics that normalise by the batch",
                hint="torch or JAX, which differentiate batch_norm(reduce=...) themselves",
            )
        )
    xp = call.xp
    dy, wide = run.cast(xp, dy, call.compute), run.cast(xp, x, call.compute)
    found = through_merged(
        xp, dy, wide, *centred(call, wide), call.params, call.weights, call.plan, call.eps,
        joint=partial(reduce.joint, dtype=call.dtype) if isinstance(reduce, Exchange) else reduce.joint, wide=call.space.library.name == "numpy",
    )  # fmt: skip
    return found._replace(x=run.cast(xp, found.x, x.dtype))


def _evaluation(call: Call, dy: Array, x: Array, state: RunningStats | None) -> Gradients:
    assert state is not None
    if call.semantics.evaluate_by == "blend":
        return _through_running(call, dy, x, state)
    if call.semantics.evaluate_by == "divided":
        return _constants(call, dy, x, *running.divided(call.xp, state, call.semantics.decay))
    return _constants(call, dy, x, state.mean, state.var)


def _through_batch(call: Call, dy: Array, x: Array, params: Params, moments: Moments | None = None) -> Gradients:
    asked = _asked(call, "backward", dy, x, params)
    kernel = choose(asked).backward
    assert kernel is not None
    moments = run.moments(call, x) if moments is None else moments
    return kernel(asked, dy, x, params, moments, call.weights, call.eps)


def _asked(call: Call, op: Op, dy: Array, x: Array, params: Params) -> Request:
    """Return the request; a traced or recorded dy counts as much as x."""
    asked, library = run.request(call, x, op, params), call.space.library
    return asked._replace(
        traced=asked.traced or library.traced(dy), differentiated=asked.differentiated or library.differentiates(dy)
    )


def _constants(call: Call, dy: Array, x: Array, mean: Array, var: Array) -> Gradients:
    asked = _asked(call, "backward_evaluate", dy, x, call.params)
    kernel = choose(asked).backward_evaluate
    assert kernel is not None
    mean, var = (run.cast(call.xp, one, call.compute) for one in (mean, var))
    return kernel(asked, dy, x, call.params, mean, var, call.eps)


def _renormed(call: Call, dy: Array, x: Array, state: RunningStats) -> Gradients:
    """``y = (normalised * r + d) * scale + offset`` is a batch norm of scale ``scale * r``."""
    xp, renorm, scale = call.xp, call.semantics.renorm, call.params.scale
    assert renorm is not None
    moments = run.moments(call, x)
    factors = running.renorm_factors(xp, state, moments, renorm, call.eps)
    r, d = (run.cast(xp, one, call.compute) for one in factors)
    bare = _through_batch(call, dy, x, Params(r if scale is None else r * scale, xp.zeros_like(r)), moments)
    return Gradients(bare.x, r * bare.scale + d * bare.offset, bare.offset)


def _through_running(call: Call, dy: Array, x: Array, state: RunningStats) -> Gradients:
    """Through the statistics after their update, of which the batch is a share; the update is linear in the moments."""
    xp, kind = call.xp, x.dtype
    moments = run.moments(call, x)
    used = running.update(xp, state, moments, call.semantics, eps=call.eps)
    ones, zeros = xp.ones_like(moments.mean), xp.zeros_like(state.mean)
    unit = Moments(moments.count, ones, ones)
    share = running.update(xp, state._replace(mean=zeros, var=zeros), unit, call.semantics, eps=call.eps)
    wide = call._replace(dtype=dtype_name(ones.dtype), params=Params(_or(call.params.scale, ones), xp.zeros_like(ones)))
    dy, x = run.cast(xp, dy, call.compute), run.cast(xp, x, call.compute)
    fixed = _constants(wide, dy, x, used.mean, used.var)
    inverse = 1.0 / xp.sqrt(run.cast(xp, used.var, call.compute) + call.eps)
    factor = inverse * wide.params.scale
    d_mean = -factor * fixed.offset * run.cast(xp, share.mean, call.compute)
    d_m2 = -0.5 * factor * inverse * fixed.scale * run.cast(xp, share.var, call.compute)
    through = through_moments(
        xp, d_mean, d_m2, x, moments, call.weights, call.plan, wide=call.space.library.name == "numpy"
    )
    return fixed._replace(x=run.cast(xp, fixed.x + through, kind))


def _first_ignored(call: Call, dy: Array, x: Array, state: RunningStats) -> Gradients:
    """The first step normalises by the given statistics, which are constants; the others by the batch."""
    first = state.steps == 0
    if isinstance(first, bool):
        return _constants(call, dy, x, state.mean, state.var) if first else _through_batch(call, dy, x, call.params)
    pairs = zip(_constants(call, dy, x, state.mean, state.var), _through_batch(call, dy, x, call.params), strict=True)
    return Gradients(*(None if one is None else call.xp.where(first, one, other) for one, other in pairs))


def _nothing(call: Call, dy: Array) -> Gradients:
    """y is x itself, or empty: the parameters took no part."""
    zeros = (None if one is None else call.xp.zeros_like(one) for one in call.params)
    return Gradients(dy, *zeros)


def _like_params(call: Call, found: Gradients, params: Params) -> Gradients:
    """Return the gradients in the types of what they are for; a scale that the semantics does not use gets zeros."""

    def like(gradient: Array | None, param: Array | None) -> Array | None:
        if param is None:
            return None
        return call.xp.zeros_like(param) if gradient is None else run.cast(call.xp, gradient, param.dtype)

    scale = None if call.params.scale is None else found.scale
    return Gradients(found.x, like(scale, params.scale), like(found.offset, params.offset))


def _or(value: Array | None, otherwise: Array) -> Array:
    return otherwise if value is None else value


def _check_dy(call: Call, dy: Array, x: Array) -> Array:
    if tuple(dy.shape) != tuple(x.shape):
        raise bad_value(
            "dy does not match x",
            got=f"shape {tuple(dy.shape)} for x of shape {tuple(x.shape)}",
            expected="the same shape: dy is the gradient for y",
            hint="dy = loss_gradient(y)",
        )
    if dtype_name(dy.dtype) not in FLOATS:  # isdtype of NumPy refuses bfloat16
        raise bad_type(
            "dy is not real floating-point data",
            got=f"dtype {dtype_name(dy.dtype)}",
            expected=f"{call.dtype}, as x",
            hint="xp.astype(dy, x.dtype)",
        )
    return run.cast(call.xp, dy, x.dtype)
