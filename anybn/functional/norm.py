"""`batch_norm`: check, plan, choose a kernel, run it, move the running statistics."""

from anybn._typing import Array, Device, Dtype, Namespace, is_number
from anybn.core import running
from anybn.functional import lane, run
from anybn.functional.train import Reducer, train, train_ghost
from anybn.functional.validate import Call, check
from anybn.kernels.base import Op
from anybn.kernels.table import Verdicts, ask
from anybn.namespace import of
from anybn.semantics import Semantics, preset
from anybn.state import Moments, Params, RunningStats


def batch_norm(
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
    guard: bool = False,
    reduce: Reducer | None = None,
) -> tuple[Array, RunningStats | None]:
    """Normalise x per channel: by its own statistics in training, by the running ones in evaluation.

    ``y = (x - mean) / sqrt(var + eps) * scale + offset`` (Ioffe and Szegedy 2015, algorithm 1), with the biased variance.
    Nothing that is passed is changed; the new state comes back and carries no gradient.

    Parameters
    ----------
    x : array, shape (N, C, ...) or any other with ``axis``
        float16, bfloat16, float32 or float64; 16-bit input is computed in float32.
    params : Params, optional
        Scale and offset, each of shape (C,) or None. Cast to the computing dtype.
    state : RunningStats, optional
        Running mean and variance, float32 or float64, which they stay. None in training: no statistics are kept.
    training : bool
        No default, on purpose.
    axis : int or tuple of int
        Channel axis or axes.
    semantics : str or Semantics
        The framework whose conventions hold; see ``anybn.PRESETS``.
    eps, decay : float, optional
        Instead of the preset's. ``decay`` is the weight of the OLD running value.
    mask : boolean array, optional
        True where a value counts: shape (N,), x's shape without the channels, or broadcastable with x's rank.
    weights : array, optional
        Not negative; how often each value counts. Same shapes as ``mask``.
    ghost : int, optional
        Size of ghost ("virtual") batches: each is normalised by itself; running statistics take their average.
    guard : bool
        Do not let a batch with a non-finite statistic into the running statistics; count it in ``state.skipped``.
    reduce : callable, optional
        ``Moments -> Moments``: merges this process' moments with the other processes' (see ``anybn.sync``).

    Returns
    -------
    y : array of x's shape and dtype
    state : RunningStats or None
        In evaluation the one that was passed.

    Raises
    ------
    BadValue, BadType
        With what was got, what was expected and what to try.
    """
    plain = mask is None and weights is None and ghost is None and reduce is None and not guard
    arguments = training, axis, semantics, eps, decay
    done = lane.take(x, params, state, arguments) if plain else None
    if done is not None:
        return done
    call = check(
        x, params, state, training=training, axis=axis, semantics=semantics, eps=eps, decay=decay,
        mask=mask, weights=weights,
    )  # fmt: skip
    if plain and lane.found(call, x, arguments):
        done = lane.take(x, params, state, arguments)
        if done is not None:
            return done
    if not training:
        assert state is not None
        return _evaluate(call, x, state), state
    y, moments = train(call, x, state, reduce) if ghost is None else train_ghost(call, x, ghost, reduce)
    if moments is None or state is None:
        return y, state
    return y, _learn(call, state, moments, guard)


def why(
    x: Array,
    params: Params | None = None,
    *,
    training: bool = True,
    axis: int | tuple[int, ...] = 1,
    mask: Array | None = None,
    weights: Array | None = None,
    op: Op | None = None,
) -> Verdicts:
    """Return what each kernel says to this input: which one computes, and why the others do not.

    Examples
    --------
    >>> import numpy as np, anybn
    >>> anybn.why(np.ones((4, 3), np.float32)).chosen in ("numba", "portable")
    True
    """
    call = check(
        x, params, None, training=True, axis=axis, semantics="torch", eps=None, decay=None, mask=mask, weights=weights
    )
    return ask(run.request(call, x, op or ("forward" if training else "evaluate"), call.params))


def init(
    channels: int | tuple[int, ...],
    *,
    xp: Namespace,
    dtype: Dtype | None = None,
    device: Device | None = None,
    semantics: str | Semantics = "torch",
) -> tuple[Params, RunningStats]:
    """Return fresh parameters (scale 1, offset 0, as far as the preset learns them) and running statistics (0 and 1).

    Parameters
    ----------
    channels : int or tuple of int
        ``param_shape``: one size, or one per channel axis.
    xp : namespace
        ``numpy``, ``torch``, ``jax.numpy``, …
    dtype : dtype, optional
        float32 by default.
    """
    settings = preset(semantics) if isinstance(semantics, str) else semantics
    shape = (channels,) if isinstance(channels, int) else tuple(channels)
    kind = {"dtype": xp.float32 if dtype is None else dtype, "device": device}
    scale = xp.ones(shape, **kind) if settings.scale else None
    offset = xp.zeros(shape, **kind) if settings.offset else None
    state = running.initial(xp, shape, kind["dtype"], device, settings)
    of(state.mean)  # The library is known from here on, so that no compiler has to trace how it is found.
    return Params(scale, offset), state


def _evaluate(call: Call, x: Array, state: RunningStats) -> Array:
    xp, semantics = call.xp, call.semantics
    if semantics.evaluate_by == "divided":
        return run.evaluate(call, x, *running.divided(xp, state, semantics.decay))
    if semantics.evaluate_by == "blend":
        state = running.update(xp, state, run.moments(call, x), semantics, eps=call.eps)
    return run.evaluate(call, x, state.mean, state.var)


def _learn(call: Call, state: RunningStats, moments: Moments, guard: bool) -> RunningStats:
    detach = call.space.library.detach
    count, mean, m2 = moments
    constant = Moments(count if is_number(count) else detach(count), detach(mean), detach(m2))
    return running.update(call.xp, state, constant, call.semantics, eps=call.eps, guard=guard)
