"""Moments as one flat message, and back."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from anybn._typing import Array, Namespace
from anybn.core.merge import Joint, merge_all, merge_joint
from anybn.errors import SyncError, bad_type, explain
from anybn.namespace import dtype_name, of
from anybn.state import Moments

HEADER_MARK = -1.0
_DTYPES = ("", "float16", "bfloat16", "float32", "float64")


class Kind(NamedTuple):
    """What a message is: processes whose messages are of one kind may merge them.

    Lengths alone do not tell: 3 channels with weights and 4 without make the same 9 numbers. ``data`` is the dtype of the
    input, as a place in a table (0 where nobody said): the moments are float64 whatever it is.
    """

    channels: int
    weighted: int
    backward: int
    bits: int
    data: int

    @property
    def mark(self) -> float:
        """A number that no other kind of the same bits has; exact in float32 up to half a million channels."""
        return float(((self.channels * 2 + self.weighted) * 2 + self.backward) * 8 + self.data)

    def __str__(self) -> str:
        weights = " with mask or weights" if self.weighted else ""
        dtype = _DTYPES[self.data] or f"moments in float{self.bits}"
        return f"{self.channels} channels{weights}, {dtype}, {'backward' if self.backward else 'forward'}"


def kind_of(moments: Moments, *, dtype: str = "", backward: bool = False) -> Kind:
    """Return the kind of the message that these moments, of data in ``dtype``, make."""
    count, mean, _ = moments
    weighted = not isinstance(count, int | float) and tuple(count.shape) != ()
    bits = {"float32": 32, "float64": 64}.get(dtype_name(mean.dtype))
    if bits is None:
        raise bad_type(
            "moments are kept too coarsely",
            got=f"dtype {dtype_name(mean.dtype)}",
            expected="float32 or float64",
            hint="anybn.moments(x), which computes 16-bit data in float32",
        )
    return Kind(math.prod(mean.shape), int(weighted), int(backward), bits, _DTYPES.index(dtype))


def check_library(moments: Moments, libraries: tuple[str, ...], engine: str) -> None:
    """Raise unless the engine carries arrays of this library."""
    found = of(moments.mean).library.name
    if found in libraries:
        return
    raise bad_type(
        f"{engine} does not carry these arrays",
        got=found,
        expected=" or ".join(libraries),
        hint="the reducer for that library, see help(anybn.sync)",
    )


def pack(xp: Namespace, moments: Moments, *sums: Array) -> Array:
    """Return mean, m2, the sums and the count in one row: 2 C + 1 numbers (3 C where weights make C counts) and the sums."""
    count, mean, m2 = moments
    if isinstance(count, int | float):
        count = _number(xp, float(count), mean)
    parts = (mean, m2, *sums, xp.astype(count, mean.dtype, copy=False))
    return xp.concat([xp.reshape(part, (-1,)) for part in parts])


def unpack(xp: Namespace, rows: Sequence[Array], shape: tuple[int, ...]) -> Moments:
    """Return the merged moments of all rows; mean and m2 get ``shape``."""
    merged = merge_all(xp, [_moments(xp, row, shape, 2) for row in rows])
    assert merged is not None
    return merged


def unpack_joint(xp: Namespace, rows: Sequence[Array], shape: tuple[int, ...]) -> Joint:
    """Return the merged moments and sums of all rows of a backward pass."""
    parts = [Joint(_moments(xp, row, shape, 4), _field(xp, row, shape, 2), _field(xp, row, shape, 3)) for row in rows]
    return merge_joint(xp, parts)


def _number(xp: Namespace, value: float, like: Array) -> Array:
    """Return one number in a row, where ``like`` lives: full() would need a device, which a traced array cannot name."""
    return xp.zeros_like(xp.reshape(like, (-1,))[:1]) + value


def _field(xp: Namespace, row: Array, shape: tuple[int, ...], place: int) -> Array:
    size = math.prod(shape)
    return xp.reshape(row[place * size : (place + 1) * size], shape)


def _moments(xp: Namespace, row: Array, shape: tuple[int, ...], fields: int) -> Moments:
    count = row[fields * math.prod(shape) :]
    # One channel with weights and one without both have one count, which broadcasts alike.
    count = xp.reshape(count, () if count.shape[0] == 1 else shape)
    return Moments(count, _field(xp, row, shape, 0), _field(xp, row, shape, 1))


def agree(kinds: Sequence[Kind]) -> None:
    """Raise unless every process (in the order of their ranks) sends the same kind of message."""
    if len(set(kinds)) <= 1:
        return
    told = "; ".join(f"rank {rank}: {kind}" for rank, kind in enumerate(kinds))
    raise SyncError(
        explain(
            "the processes do not agree on the batch norm they share",
            got=told,
            expected="the same number of channels, the same dtype, and mask= or weights= in all or in none",
            hint="the same layer in the same order in every process",
        )
    )


def seal(xp: Namespace, message: Array, mark: float) -> Array:
    """Return the message with the mark of its kind as one more number.

    Engines take a message that is too short for a good one and leave the rest of the row as it was (gloo, MPI); rows
    begin as zeros, so that no mark of an earlier message can stand there.
    """
    return xp.concat([message, _number(xp, mark, message)])


def opened(xp: Namespace, rows: Sequence[Array], mark: float, *, look: bool) -> list[Array]:
    """Return the messages without their marks, if every process' message ends with the mark that it should have.

    With ``look``, what is damaged or of another kind raises. Without (on a GPU, where a look would wait for the result)
    it becomes NaN: never a wrong number.
    """
    if look:
        _check([float(row[-1]) for row in rows], mark)
        return [row[:-1] for row in rows]
    return [xp.where(row[-1:] == mark, row[:-1], xp.zeros_like(row[:-1]) + math.nan) for row in rows]


def _check(seals: Sequence[float], mark: float) -> None:
    bad = [rank for rank, seal in enumerate(seals) if seal != mark]
    if not bad:
        return
    raise SyncError(
        explain(
            "a message came in damaged or is of another kind",
            got=f"no valid end of the message of rank {', '.join(map(str, bad))}",
            expected="the same number of channels, the same dtype and the same pass in every process",
            hint="the same layer in the same order in every process",
        )
    )
