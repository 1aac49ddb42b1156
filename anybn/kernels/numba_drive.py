"""The compiled loops put together: cut the work, run it on some threads, join the sums. Works on addresses, knows no array library."""

from collections.abc import Callable
from functools import lru_cache, partial
from math import gcd
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from anybn.kernels import numba_finish as nf
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
    loops = this.loops
    strides = (part.start[operand], *loops.strides[operand])
    if loops.planes:
        return strides
    return (strides[0], 0, this.width, 1) if this.copies > 1 else strides[:4]


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


def _sum(this: Job, shift: Vector) -> tuple[Vector, Vector]:
    """Return the sums of x - shift and of its square, per channel."""
    shifts = np.tile(shift, this.copies) if this.copies > 1 else shift
    total = np.zeros((this.threads, 2, this.width))

    def work(parts: list[Part], thread: int) -> None:
        sums, squares = total[thread]
        for part in parts:
            operand = this.kind, this.addresses[0], strides_of(this, part, 0), inner_rows(this)
            if this.loops.planes:
                npl.sums_planes(*operand, part.length, part.channels, part.rows, shifts, sums, squares)
            else:
                nr.sums_rows(*operand, part.channels, part.rows, shifts, sums, squares)

    deal(this, work)
    sums, squares = total[0] if this.threads == 1 else total.sum(axis=0)
    return fold(this, sums), fold(this, squares)


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
            if this.loops.planes:
                npl.apply_planes(*operands, part.length, part.channels, part.rows, lines)
            else:
                nr.apply_rows(*operands, part.channels, part.rows, lines)

    deal(this, work)


def _statistics(
    this: Job, eps: float, scale: Vector, offset: Vector, line: NDArray[Any], mean: Vector, m2: Vector
) -> None:
    """Set mean, m2 and line from the sums; once more with a better shift, or exactly, where that is not enough."""
    loops, every = this.loops, (0, mean.size)
    shift, redo = np.empty_like(mean), np.empty(mean.size, np.uint8)
    walks = [
        (this.kind, this.addresses[0], (start[0], *loops.strides[0]), loops.inner, loops.length)
        for start in loops.starts
    ]
    nf.sample(*walks[0], loops.rows, every, shift)

    def finish(channels: tuple[int, int], sums: Vector, squares: Vector, last: bool) -> int:
        numbers = shift, sums, squares, line, mean, m2, redo
        return int(nf.finish(channels, loops.values, eps, scale, offset, *numbers, last))

    sums, squares = _sum(this, shift)
    found = finish(every, sums, squares, False)
    if found == nf.AGAIN:
        sums, squares = _sum(this, shift)
        found = finish(every, sums, squares, False)
    if found == nf.DONE:
        return
    for c in np.flatnonzero(redo).tolist():
        total = np.zeros(2)
        for walk in walks:
            npl.sums_exact(*walk, c, (0, loops.rows), shift, sums, squares)
            total += sums[c], squares[c]
        sums[c], squares[c] = total
        finish((c, c + 1), sums, squares, True)


def places(found: Loops) -> tuple[Strides, ...]:
    """Return (start, outer, inner, channel, element) of each operand, for loops with one start."""
    return tuple([(start, *strides) for start, strides in zip(found.starts[0], found.strides, strict=True)])


def blank_line(this: Job, rows: int) -> NDArray[Any]:
    return np.empty(rows * this.loops.channels, compute(this))


def by_channels(this: Job) -> bool:
    """Whether the threads can take channels each, and y be computed from what the cache still holds of x."""
    loops = this.loops
    return loops.planes and len(loops.starts) == 1 and (this.threads == 1 or loops.channels >= 4 * this.threads)


def forward(this: Job, eps: float, scale: Vector, offset: Vector) -> tuple[Vector, Vector]:
    """Write y (operand 1) from x (operand 0); return mean and m2."""
    found, kind = this.loops, compute(this)
    mean, m2 = np.empty(found.channels, kind), np.empty(found.channels, kind)
    if not found.planes and this.threads == 1 and len(found.starts) == 1:
        x, y = places(found)
        nf.forward_rows(
            this.kind,
            *this.addresses,
            (*x[:4], 1),
            y[:4],
            found.inner,
            found.rows,
            this.copies,
            eps,
            scale,
            offset,
            mean,
            m2,
        )
        return mean, m2
    line = blank_line(this, 3)
    if not by_channels(this):
        _statistics(this, eps, scale, offset, line, mean, m2)
        apply(this, line)
        return mean, m2
    x, y = places(found)

    def work(some: tuple[int, int]) -> None:
        nf.forward_planes(
            this.kind, *this.addresses, x, y, found.inner, found.length, some, found.rows, this.tile,
            eps, scale, offset, line, mean, m2,
        )  # fmt: skip

    run([partial(work, some) for some in split(found.channels, this.threads)])
    return mean, m2


def moments(this: Job) -> tuple[Vector, Vector]:
    """Return mean and m2 of x, the only operand."""
    channels, kind = this.loops.channels, compute(this)
    mean, m2, none = np.empty(channels, kind), np.empty(channels, kind), np.empty(0, kind)
    _statistics(this, 1.0, none, none, blank_line(this, 3), mean, m2)
    return mean, m2


def evaluate(this: Job, eps: float, mean: Vector, var: Vector, scale: Vector, offset: Vector) -> None:
    """Write y (operand 1) from x (operand 0) by given statistics."""
    line, found = blank_line(this, 3), this.loops
    nf.line_of_statistics(eps, mean, var, scale, offset, line)
    if found.planes or this.threads > 1 or len(found.starts) > 1:
        apply(this, line)
        return
    x, y = places(found)
    nr.apply_rows(this.kind, *this.addresses, x[:4], y[:4], found.inner, (0, found.channels), (0, found.rows), line)
