"""Moments of batches, merged exactly: streaming, tree reduction, recalibration."""

from collections.abc import Iterable
from itertools import chain

from anybn._typing import Array, Device, Dtype, Namespace
from anybn.core.merge import merge_all
from anybn.errors import BadType, MissingDependency, bad_type, bad_value, explain
from anybn.functional import run
from anybn.functional.validate import check
from anybn.namespace import device_of, dtype_name, of
from anybn.state import Moments, RunningStats


def moments(
    x: Array, *, axis: int | tuple[int, ...] = 1, mask: Array | None = None, weights: Array | None = None
) -> Moments:
    """Count, mean and sum of squared deviations of x per channel.

    Parameters
    ----------
    x : array, shape (N, C, ...) or any other with ``axis``
    axis : int or tuple of int
        Channel axis or axes, which are kept.
    mask, weights : array, optional
        As in `anybn.batch_norm`.

    Returns
    -------
    Moments
        In float32, or float64 for float64 input. The count is a Python int, or an array per channel where mask or
        weights decide it.

    Examples
    --------
    >>> import numpy as np, anybn
    >>> anybn.moments(np.array([[1.0], [3.0]]))
    Moments(count=2, mean=array([2.]), m2=array([2.]))
    """
    call = check(
        x, None, None, training=True, axis=axis, semantics="torch", eps=None, decay=None, mask=mask, weights=weights
    )
    if call.plan.count == 0:
        zeros = call.xp.sum(run.cast(call.xp, x, call.compute), axis=call.plan.reduce)
        return Moments(0, zeros, zeros)
    return run.moments(call, x)


def merge(*parts: Moments) -> Moments:
    """Moments of all values behind these moments together (Chan's formula, as a balanced tree).

    Associative and commutative to rounding; `empty_moments` is the neutral element. Whether the parts come from
    batches, from processes or from chunks of an array makes no difference.

    Parameters
    ----------
    *parts : Moments
        At least one, all of the same shape and array library.

    Raises
    ------
    BadValue
        For no part, or parts of different shapes.

    Examples
    --------
    >>> import numpy as np, anybn
    >>> anybn.merge(anybn.moments(np.array([[1.0]])), anybn.moments(np.array([[3.0]])))
    Moments(count=2, mean=array([2.]), m2=array([2.]))
    """
    return _merged(parts, hint="anybn.empty_moments(channels, xp=…)")


def empty_moments(
    channels: int | tuple[int, ...], *, xp: Namespace, dtype: Dtype | None = None, device: Device | None = None
) -> Moments:
    """Moments of no value at all: merged with any others, they give those others.

    Parameters
    ----------
    channels : int or tuple of int
        One size, or one per channel axis.
    xp : namespace
        ``numpy``, ``torch``, ``jax.numpy``, …
    dtype : dtype, optional
        float32 by default.
    """
    shape = (channels,) if isinstance(channels, int) else tuple(channels)
    zeros = xp.zeros(shape, dtype=xp.float32 if dtype is None else dtype, device=device)
    return Moments(0, zeros, zeros)


def variance(of_moments: Moments, *, correction: float = 0.0) -> Array:
    """Variance per channel, ``m2 / (count - correction)``; 0 where the count is not larger than the correction.

    Parameters
    ----------
    of_moments : Moments
    correction : float
        0 for the population (biased), 1 for Bessel's (unbiased).
    """
    count, _, m2 = of_moments
    if isinstance(count, int | float):
        return m2 / (count - correction) if count > correction else m2 * 0.0
    xp = of(m2).xp
    enough = count > correction
    return xp.where(enough, m2 / xp.where(enough, count - correction, xp.ones_like(count)), xp.zeros_like(m2))


def recalibrate(
    batches: Iterable[Array | Moments],
    *,
    axis: int | tuple[int, ...] = 1,
    correction: float = 0.0,
    progress: bool = False,
) -> RunningStats:
    """Exact statistics of all batches as one population, to replace running averages before evaluation.

    Not the mean of the batches' variances (as ``torch.optim.swa_utils.update_bn``), which lacks the variance between
    the batches and gives a short last batch the weight of a full one.

    Parameters
    ----------
    batches : iterable of arrays or Moments
        What enters the batch norm, batch by batch, or its `moments` (with a mask or weights, or from another process).
        Only log2(n) moments are held at a time.
    axis : int or tuple of int
        Channel axis or axes of the arrays.
    correction : float
        0 for the population's variance, 1 for the unbiased estimate; see `variance`.
    progress : bool
        Show a bar of the batches on stderr, by the package ``tqdm``; with an end where ``batches`` has a length.

    Returns
    -------
    RunningStats
        mean and var in float32, or float64 for float64 input; computed in float64 where the library has it. ``steps``
        is the number of batches.

    Raises
    ------
    BadValue
        For no batch, or batches without a single value.
    BadType
        For one array instead of an iterable of them.
    MissingDependency
        For ``progress=True`` when the package ``tqdm`` is not installed.

    Examples
    --------
    >>> import numpy as np, anybn
    >>> anybn.recalibrate([np.array([[1.0], [3.0]]), np.array([[8.0]])]).mean
    array([4.])
    """
    seen, kind = 0, None
    _check_batches(batches)
    if progress:
        batches = _with_bar(batches)

    def each() -> Iterable[Moments]:
        nonlocal seen, kind
        for batch in batches:
            seen += 1
            found = batch if isinstance(batch, Moments) else _wide_moments(batch, axis)
            kind = _state_dtype(batch) if kind is None else kind
            yield _widened(found)

    total = _merged(each(), name="recalibrate needs data", hint="a data loader that is not used up")
    if isinstance(total.count, int | float) and total.count <= 0:
        raise bad_value(
            "recalibrate needs data",
            got=f"{seen} batches without a single value",
            expected="at least one value per channel",
            hint="a mask that leaves something",
        )
    xp = of(total.mean).xp
    var = variance(total, correction=correction)
    return RunningStats(run.cast(xp, total.mean, kind), run.cast(xp, var, kind), seen)


def _check_batches(batches: object) -> None:
    """Refuse one array or one Moments: they can be iterated over, too, and would give statistics of something else."""
    if isinstance(batches, Moments) or hasattr(batches, "shape") or not isinstance(batches, Iterable):
        raise bad_type(
            "batches are no iterable of batches",
            got=f"{type(batches).__module__}.{type(batches).__qualname__}",
            expected="a list, a generator or a data loader of arrays or Moments",
            hint="[x] for one batch, anybn.sync.dask.recalibrate(x) for a Dask array",
        )


def _with_bar(batches: Iterable[Array | Moments]) -> Iterable[Array | Moments]:
    try:
        from tqdm import tqdm
    except ImportError:
        raise MissingDependency(
            explain(
                "tqdm is needed for a progress bar",
                got="a Python without it",
                expected="the package tqdm",
                hint="pip install 'anybn[progress]', or progress=False",
            )
        ) from None
    bar: Iterable[Array | Moments] = tqdm(batches, desc="recalibrate", unit=" batches")
    return bar


def _wide_moments(x: Array, axis: int | tuple[int, ...]) -> Moments:
    """Moments of x in float64, so that the means of batches keep more digits than their differences need."""
    wide = _float64(x)
    return moments(x if wide is None else of(x).xp.astype(x, wide), axis=axis)


def _widened(part: Moments) -> Moments:
    xp, wide = of(part.mean).xp, _float64(part.mean)
    if wide is None:
        return part
    count = part.count if isinstance(part.count, int | float) else run.cast(xp, part.count, wide)
    return Moments(count, run.cast(xp, part.mean, wide), run.cast(xp, part.m2, wide))


def _float64(x: Array) -> Dtype | None:
    """Return float64 where x's library has it on x's device: JAX only on request, Apple's GPU never."""
    found: dict[str, Dtype] = of(x).xp.__array_namespace_info__().dtypes(device=device_of(x), kind="real floating")
    return found.get("float64")


def _state_dtype(batch: Array | Moments) -> Dtype:
    """Return the type that running statistics have: float64 for float64, else float32."""
    array = batch.mean if isinstance(batch, Moments) else batch
    xp = of(array).xp
    return array.dtype if dtype_name(array.dtype) == "float64" else xp.float32


def _merged(parts: Iterable[Moments], name: str = "nothing to merge", hint: str = "anybn.moments(x)") -> Moments:
    iterator = iter(parts)
    first = next(iterator, None)
    if first is None:
        raise bad_value(name, got="no batch", expected="at least one", hint=hint)
    if not isinstance(first, Moments):
        raise _no_moments(first)
    checked = (_check_part(part, first) for part in chain((first,), iterator))
    total = merge_all(of(first.mean).xp, checked)
    assert total is not None
    return total


def _check_part(part: Moments, first: Moments) -> Moments:
    if not isinstance(part, Moments):
        raise _no_moments(part)
    if tuple(part.mean.shape) != tuple(first.mean.shape):
        raise bad_value(
            "moments of different channels",
            got=f"shapes {tuple(first.mean.shape)} and {tuple(part.mean.shape)}",
            expected="the same shape",
            hint="the same axis= for all of them",
        )
    of(first.mean, part.mean)
    return part


def _no_moments(part: object) -> BadType:
    return bad_type("these are no moments", got=type(part).__name__, expected="Moments", hint="anybn.moments(x)")
