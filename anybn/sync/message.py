"""Moments as one flat message, and back."""

import math
from collections.abc import Sequence

from anybn._typing import Array, Dtype, Namespace
from anybn.core.merge import merge_all
from anybn.errors import SyncError, explain
from anybn.state import Moments


def pack(xp: Namespace, moments: Moments) -> Array:
    """Return mean, m2 and count in one row of 2 C + 1 numbers (3 C where weights make a count for each channel)."""
    count, mean, m2 = moments
    if isinstance(count, int | float):
        count = xp.full((1,), float(count), dtype=mean.dtype)
    parts = (mean, m2, xp.astype(count, mean.dtype, copy=False))
    return xp.concat([xp.reshape(part, (-1,)) for part in parts])


def unpack(xp: Namespace, rows: Sequence[Array], shape: tuple[int, ...]) -> Moments:
    """Return the merged moments of all rows; mean and m2 get ``shape``."""
    size = math.prod(shape)
    parts = []
    for row in rows:
        count = row[2 * size :]
        count = xp.reshape(count, () if count.shape[0] == 1 else shape)
        parts.append(Moments(count, xp.reshape(row[:size], shape), xp.reshape(row[size : 2 * size], shape)))
    merged = merge_all(xp, parts)
    assert merged is not None
    return merged


def code(dtype: Dtype) -> int:
    """Return a number for a dtype, the same in every process."""
    return {"float32": 32, "float64": 64}[str(dtype).rsplit(".", maxsplit=1)[-1]]


def agree(headers: Sequence[tuple[int, int]]) -> None:
    """Raise unless every process sends messages of the same length and dtype.

    Parameters
    ----------
    headers : sequence of (length, dtype code)
        One per process, in the order of their ranks.
    """
    if len(set(headers)) <= 1:
        return
    told = ", ".join(f"rank {rank}: {length} numbers of float{bits}" for rank, (length, bits) in enumerate(headers))
    raise SyncError(
        explain(
            "the processes do not agree on the batch norm they share",
            got=told,
            expected="the same number of channels, the same dtype, and mask= or weights= in all or in none",
            hint="the same layer in the same order in every process",
        )
    )


def seal(xp: Namespace, message: Array) -> Array:
    """Return the message with its own length as one more number.

    Engines take a message that is too short for a good one and leave the rest of the row as it was (gloo, MPI).
    """
    return xp.concat([message, xp.full((1,), float(message.shape[0]), dtype=message.dtype)])


def check_seals(seals: Sequence[float], length: int) -> None:
    """Raise unless every process' message ends with the length that it should have."""
    bad = [rank for rank, seal in enumerate(seals) if seal != length]
    if not bad:
        return
    raise SyncError(
        explain(
            "a message came in damaged or with another length",
            got=f"no valid end of the message of rank {', '.join(map(str, bad))}",
            expected=f"{length} numbers from every process",
            hint="the same layer in the same order in every process",
        )
    )
