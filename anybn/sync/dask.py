"""Population statistics of Dask arrays that are larger than memory: each chunk is read once, moments travel instead."""

from collections.abc import Iterator
from itertools import product

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed

from anybn._typing import Array
from anybn.core.merge import merge_all
from anybn.core.moments import as_moments, centre
from anybn.errors import bad_type, bad_value
from anybn.plan import make_plan
from anybn.state import Moments, RunningStats

_AT_ONCE = 1 << 18  # values of a chunk that are computed together: 2 MB in float64
_FAN_IN = 8  # chunks merged by one task: few enough to hold, many enough to keep the tree flat


def moments(x: Array, *, axis: int | tuple[int, ...] = 1) -> Moments:
    """Moments of a Dask array in one pass over its chunks, lazy, exact to float64.

    Parameters
    ----------
    x : dask.array.Array
        Chunked in any way, also along the channels and with chunks of unknown length; real floating point.
    axis : int or tuple of int
        Channel axis or axes, which are kept.

    Returns
    -------
    Moments
        Lazy float64 arrays (count, too, since lengths may be unknown); ``dask.compute(*moments(x))`` gives NumPy's.

    Notes
    -----
    Unlike ``anybn.moments`` on a Dask array, which centres by the global mean and so reads the data several times.
    Memory on a worker is one chunk and a few float64 copies of a part of it.

    Raises
    ------
    BadType
        For what is no Dask array, or no real floating-point data.
    BadValue
        For an axis that is not there.
    """
    _check(x)
    axes = make_plan((2,) * x.ndim, axis).axis
    reduced = tuple(i for i in range(x.ndim) if i not in axes)
    blocks = x.to_delayed()
    packed: Array = np.empty([blocks.shape[i] for i in axes], dtype=object)
    for kept in product(*(range(blocks.shape[i]) for i in axes)):
        parts: list[Delayed] = []
        for inner in product(*(range(blocks.shape[i]) for i in reduced)):
            where = dict(zip((*axes, *reduced), (*kept, *inner), strict=True))
            parts.append(_chunk(blocks[tuple(where[i] for i in range(x.ndim))], axes))
        shape = (3, *(x.chunks[i][block] for i, block in zip(axes, kept, strict=True)))
        packed[kept] = da.from_delayed(_tree(parts), shape=shape, dtype=np.float64)
    whole = da.block(_nested(packed))
    return Moments(whole[0], whole[1], whole[2])


def recalibrate(x: Array, *, axis: int | tuple[int, ...] = 1, correction: float = 0.0) -> RunningStats:
    """Exact statistics of a whole Dask array as one population; computes, on whatever cluster is the default.

    Parameters
    ----------
    x, axis
        As in `moments`.
    correction : float
        0 for the population's variance, 1 for the unbiased estimate.

    Returns
    -------
    RunningStats
        NumPy arrays: float64 for float64 data, else float32.
    """
    count, mean, m2 = dask.compute(*moments(x, axis=axis))
    if not (count > 0).all():
        raise bad_value(
            "recalibrate needs data",
            got="no value in some channel",
            expected="at least one value per channel",
            hint="x.compute_chunk_sizes() to see which chunks are empty",
        )
    kind = np.float64 if x.dtype == np.float64 else np.float32
    var = np.where(count > correction, m2 / np.where(count > correction, count - correction, 1), 0.0)
    return RunningStats(mean.astype(kind), var.astype(kind), 1)


@dask.delayed(pure=True)  # type: ignore[untyped-decorator]
def _chunk(x: Array, axes: tuple[int, ...]) -> Array:
    """Return count, mean and m2 of one chunk, stacked."""
    if x.size == 0:
        return np.zeros((3, *(x.shape[i] for i in axes)))
    found = merge_all(np, (_moments(part, axes) for part in _parts(x, axes)))
    assert found is not None
    return _stacked(found)


def _parts(x: Array, axes: tuple[int, ...]) -> Iterator[Array]:
    """Cut a chunk along its longest reduced axis, so that the float64 copies stay small whatever its size."""
    reduced = [i for i in range(x.ndim) if i not in axes]
    if not reduced:
        yield x
        return
    longest = max(reduced, key=lambda i: x.shape[i])
    step = max(1, _AT_ONCE * x.shape[longest] // x.size)
    for start in range(0, x.shape[longest], step):
        yield x[(slice(None),) * longest + (slice(start, start + step),)]


def _moments(x: Array, axes: tuple[int, ...]) -> Moments:
    plan = make_plan(tuple(x.shape), axes)
    return as_moments(np, centre(np, np.asarray(x, dtype=np.float64), plan, wide=True, inplace=True), plan)


def _check(x: object) -> None:
    if not isinstance(x, da.Array):
        raise bad_type(
            "not a Dask array",
            got=f"{type(x).__module__}.{type(x).__qualname__}",
            expected="dask.array.Array",
            hint="anybn.moments and anybn.recalibrate, which take arrays of every library",
        )
    if x.dtype.kind != "f" and x.dtype.name != "bfloat16":
        raise bad_type(
            "x is not real floating-point data",
            got=f"dtype {x.dtype.name}",
            expected="float16, bfloat16, float32 or float64",
            hint="x.astype('float32')",
        )


@dask.delayed(pure=True)  # type: ignore[untyped-decorator]
def _merge(parts: list[Array]) -> Array:
    merged = merge_all(np, [Moments(*part) for part in parts])
    assert merged is not None
    return _stacked(merged)


def _stacked(of: Moments) -> Array:
    return np.stack([np.broadcast_to(np.asarray(of.count, dtype=np.float64), of.mean.shape), of.mean, of.m2])


def _tree(parts: list[Delayed]) -> Delayed:
    while len(parts) > 1:
        parts = [_merge(parts[start : start + _FAN_IN]) for start in range(0, len(parts), _FAN_IN)]
    return parts[0]


def _nested(packed: Array) -> Array:
    """Nested lists for `dask.array.block`, whose first level is the first channel axis."""
    return packed.tolist() if packed.ndim == 1 else [_nested(row) for row in packed]
