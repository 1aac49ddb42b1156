"""The compiled loops put together: cut the work, run it on some threads, join the sums. Works on addresses, knows no array library."""

from collections.abc import Callable
from functools import partial
from math import gcd
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from anybn.kernels import numba_finish as nf
from anybn.kernels import numba_planes as npl
from anybn.kernels import numba_rows as nr
from anybn.kernels.pool import run, split
from anybn.kernels.strided import Loops
from anybn.kernels.thresholds import FOLD_BELOW, PER_THREAD, TILE_BYTES

Vector: TypeAlias = NDArray[np.float64]
EMPTY: Vector = np.empty(0)
KINDS: dict[str, NDArray[Any]] = {
    "float32": np.empty(0, np.float32),
    "float64": np.empty(0, np.float64),
    "float16": np.empty(0, np.uint16),
    "bfloat16": np.empty(0, np.int16),
}


class Job(NamedTuple):
    """Operands in memory and how to walk them.

    ``kind`` is an empty array that tells the element type; ``copies`` is how many packed rows are taken as one.
    """

    kind: NDArray[Any]
    loops: Loops
    addresses: tuple[int, ...]
    threads: int
    copies: int = 1

    @property
    def width(self) -> int:
        """Columns of the sums."""
        return self.loops.channels * self.copies

    @property
    def compute(self) -> type:
        """Type in which y is computed."""
        return np.float64 if self.kind.dtype == np.float64 else np.float32

    @property
    def tile(self) -> int:
        """Channels whose input fits the cache."""
        loops, size = self.loops, int(self.kind.itemsize)
        return max(1, min(loops.channels, TILE_BYTES // (loops.rows * loops.length * size)))


class Part(NamedTuple):
    """A piece of the work: some rows of some channels, and which of a row's neighbours."""

    start: tuple[int, ...]
    rows: tuple[int, int]
    channels: tuple[int, int]
    length: int


def job(dtype: str, loops: Loops, addresses: tuple[int, ...], threads: Callable[[], int]) -> Job:
    """Return the job, with no more threads than the size is worth; `threads` is only asked where it matters."""
    most = loops.values * loops.channels // PER_THREAD
    made = Job(KINDS[dtype], loops, addresses, 1 if most < 2 else min(threads(), most))
    channels = loops.channels
    if not loops.packed_rows or (channels % 16 == 0 and channels >= 128) or channels >= FOLD_BELOW:
        return made
    copies = 16 // gcd(16, channels)
    copies *= max(1, 128 // (copies * channels))
    return made._replace(copies=copies) if loops.rows >= 4 * copies else made


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
    nf.fold(sums, folded)
    return folded


def unfold(this: Job, line: NDArray[Any]) -> NDArray[Any]:
    if this.copies == 1:
        return line
    folded = np.empty(line.size * this.copies, line.dtype)
    nf.unfold(line, this.loops.channels, folded)
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
    """Set mean, m2 and line from the sums; once more with a better shift where the first one was far away."""
    shift = np.empty(mean.size)
    nf.first_of_channel(this.kind, this.addresses[0], (this.loops.starts[0][0], *this.loops.strides[0]), shift)
    for last in (False, True):
        sums, squares = _sum(this, shift)
        count, channels = this.loops.values, (0, mean.size)
        if not nf.finish(channels, count, eps, scale, offset, shift, sums, squares, line, mean, m2, last):
            return


def blank_line(this: Job, rows: int) -> NDArray[Any]:
    return np.empty(rows * this.loops.channels, this.compute)


def by_channels(this: Job) -> bool:
    """Whether the threads can take channels each, and y be computed from what the cache still holds of x."""
    loops = this.loops
    return loops.planes and len(loops.starts) == 1 and (this.threads == 1 or loops.channels >= 4 * this.threads)


def forward(this: Job, eps: float, scale: Vector, offset: Vector) -> tuple[Vector, Vector]:
    """Write y (operand 1) from x (operand 0); return mean and m2."""
    loops = this.loops
    mean, m2 = np.empty(loops.channels), np.empty(loops.channels)
    line = blank_line(this, 3)
    if not by_channels(this):
        _statistics(this, eps, scale, offset, line, mean, m2)
        apply(this, line)
        return mean, m2
    x, y = ((start, *strides) for start, strides in zip(loops.starts[0], loops.strides, strict=True))

    def work(some: tuple[int, int]) -> None:
        nf.forward_planes(
            this.kind, *this.addresses, x, y, loops.inner, loops.length, some, loops.rows, this.tile,
            eps, scale, offset, line, mean, m2,
        )  # fmt: skip

    run([partial(work, some) for some in split(loops.channels, this.threads)])
    return mean, m2


def moments(this: Job) -> tuple[Vector, Vector]:
    """Return mean and m2 of x, the only operand."""
    channels = this.loops.channels
    mean, m2 = np.empty(channels), np.empty(channels)
    _statistics(this, 1.0, EMPTY, EMPTY, blank_line(this, 3), mean, m2)
    return mean, m2


def evaluate(this: Job, eps: float, mean: Vector, var: Vector, scale: Vector, offset: Vector) -> None:
    """Write y (operand 1) from x (operand 0) by given statistics."""
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = 1.0 / np.sqrt(var + eps)
    if scale.size:
        slope *= scale
    line = np.empty((3, mean.size), this.compute)
    line[0], line[1] = mean, slope
    line[2] = (line[0] - mean) * slope + (offset if offset.size else 0.0)
    apply(this, line.reshape(-1))
