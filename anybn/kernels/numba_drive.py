"""The compiled loops put together: cut the work, run it on some threads, join the sums. Works on addresses, knows no array library."""

from collections.abc import Callable
from functools import lru_cache, partial
from math import gcd
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from anybn.kernels import numba_planes as npl
from anybn.kernels import numba_rows as nr
from anybn.kernels.pool import run, split
from anybn.kernels.strided import Loops, Strides, loops
from anybn.kernels.thresholds import FOLD_BELOW, PER_THREAD, TILE_BYTES
from anybn.plan import Plan

Vector: TypeAlias = NDArray[np.floating[Any]]
KINDS: dict[str, NDArray[Any]] = {
    "float32": np.empty(0, np.float32),
    "float64": np.empty(0, np.float64),
    "float16": np.empty(0, np.uint16),
    "bfloat16": np.empty(0, np.int16),
}


class Job(NamedTuple):
    """Operands in memory and how to walk them.

    ``kind`` is an empty array that tells the element type; ``copies`` is how many packed rows are taken as one; ``tile`` is how many
    channels of input fit the cache.
    """

    kind: NDArray[Any]
    loops: Loops
    copies: int
    tile: int
    threads: int
    addresses: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Columns of the sums."""
        return self.loops.channels * self.copies


class Part(NamedTuple):
    """A piece of the work: some rows of some channels, and which of a row's neighbours."""

    start: tuple[int, ...]
    rows: tuple[int, int]
    channels: tuple[int, int]
    length: int


@lru_cache(maxsize=512)
def walk_of(dtype: str, shape: tuple[int, ...], axis: tuple[int, ...], strides: tuple[Strides, ...], unit: int) -> Job:
    """Return the job without addresses; ``threads`` is how many its size is worth."""
    found = loops(shape, axis, tuple(tuple(step // unit for step in one) for one in strides))
    assert found is not None
    kind, channels = KINDS[dtype], found.channels
    tile = TILE_BYTES // (found.rows * found.length * int(kind.itemsize))
    copies = 1
    if found.packed_rows and (channels < 64 or (channels % 16 and channels < FOLD_BELOW)):
        copies = 16 // gcd(16, channels)
        copies *= max(1, 128 // (copies * channels))
    copies = copies if found.rows >= 4 * copies else 1
    return Job(kind, found, copies, max(1, min(channels, tile)), max(1, found.values * channels // PER_THREAD))


def job(
    dtype: str,
    plan: Plan,
    strides: tuple[Strides, ...],
    unit: int,
    addresses: tuple[int, ...],
    threads: Callable[[], int],
) -> Job:
    """Return the job of operands with these strides (in steps of ``unit``); `threads` is only asked where it matters."""
    kind, found, copies, tile, most, _ = walk_of(dtype, plan.shape, plan.axis, strides, unit)
    return Job(kind, found, copies, tile, 1 if most == 1 else min(threads(), most), addresses)


def compute(this: Job) -> Any:
    """Type in which y is computed, and of the parameters and statistics."""
    return np.float64 if this.kind.dtype == np.float64 else np.float32


def strides_of(this: Job, part: Part, operand: int) -> tuple[int, ...]:
    if this.copies > 1:
        return (part.start[operand], 0, this.width, 1, 0)
    return (part.start[operand], *this.loops.strides[operand])


def every_strides(this: Job, part: Part) -> list[tuple[int, ...]]:
    return [strides_of(this, part, operand) for operand in range(len(this.addresses))]


def _parts(this: Job) -> list[Part]:
    """Cut the work for the threads: by rows, else by channels, else along the rows."""
    loops, width = this.loops, this.width
    rows = loops.rows // this.copies
    parts: list[Part] = []
    for start in loops.starts:
        if this.threads == 1 or rows >= 4 * this.threads:
            parts += [Part(start, some, (0, width), loops.length) for some in split(rows, this.threads)]
        elif width >= 64 * this.threads:
            parts += [Part(start, (0, rows), some, loops.length) for some in split(width, this.threads)]
        else:
            for low, high in split(loops.length, this.threads):
                moved = tuple(s + low * strides[3] for s, strides in zip(start, loops.strides, strict=True))
                parts.append(Part(moved, (0, rows), (0, width), high - low))
        rest = (loops.rows - rows * this.copies) * loops.channels
        if rest:
            parts.append(Part(start, (rows, rows + 1), (0, rest), 1))
    return parts


def inner_rows(this: Job) -> int:
    return this.loops.rows if this.copies > 1 else this.loops.inner


def deal(this: Job, work: Callable[[list[Part], int], object]) -> None:
    """Hand the parts to the threads: ``work(parts, thread)``."""
    parts = _parts(this)
    hands = [parts[i :: this.threads] for i in range(min(this.threads, len(parts)))]
    run([partial(work, hand, i) for i, hand in enumerate(hands)])


def fold(this: Job, sums: Vector) -> Vector:
    if this.copies == 1:
        return sums
    folded = np.empty(this.loops.channels)
    nr.fold(sums, folded)
    return folded


def unfold(this: Job, line: NDArray[Any]) -> NDArray[Any]:
    if this.copies == 1:
        return line
    folded = np.empty(line.size * this.copies, line.dtype)
    nr.unfold(line, this.loops.channels, folded)
    return folded


def apply(this: Job, line: NDArray[Any]) -> None:
    """Write y along the line."""
    lines = unfold(this, line)

    def work(parts: list[Part], _: int) -> None:
        for part in parts:
            operands = this.kind, *this.addresses, *every_strides(this, part), inner_rows(this)
            if not this.loops.regular:
                npl.apply_strided(*operands, part.length, part.channels, part.rows, lines)
            elif this.loops.planes:
                npl.apply_planes(*operands, part.length, part.channels, part.rows, lines)
            elif this.loops.packed_rows and part.channels == (0, this.width):
                nr.apply_packed(this.kind, *this.addresses, part.rows, lines)
            else:
                nr.apply_rows(*operands, part.channels, part.rows, lines)

    deal(this, work)


def places(found: Loops) -> tuple[Strides, ...]:
    """Return (start, outer, inner, channel, element) of each operand, for loops with one start."""
    return tuple([(start, *strides) for start, strides in zip(found.starts[0], found.strides, strict=True)])


def blank_line(this: Job, rows: int) -> NDArray[Any]:
    return np.empty(rows * this.loops.channels, compute(this))


def by_channels(this: Job) -> bool:
    """Whether the threads can take channels each, and y be computed from what the cache still holds of x."""
    loops = this.loops
    return loops.planes and len(loops.starts) == 1 and (this.threads == 1 or loops.channels >= 4 * this.threads)


def in_one(this: Job) -> bool:
    """Whether one call of `anybn.kernels.numba_lane` does it: neighbours side by side, rows without gaps."""
    return len(this.loops.starts) == 1 and (this.loops.regular if this.loops.planes else this.loops.packed_rows)


def words_of(this: Job) -> NDArray[np.int64]:
    """Return what `anybn.kernels.numba_lane` reads."""
    found = this.loops
    tile = max(1, this.tile // (len(found.strides) - 1))  # a backward pass holds two inputs of a tile in the cache
    head = found.planes, found.inner, found.length, found.rows, this.copies, tile
    return np.array([*head, *(step for place in places(found) for step in place)], np.int64)


def address_of(vector: Vector) -> int:
    return int(vector.ctypes.data) if vector.size else 0
