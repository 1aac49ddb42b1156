"""The forward passes put together: in one call of compiled code where that is enough, else in parts (see `anybn.kernels.numba_drive`)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anybn.kernels import numba_finish as nf
from anybn.kernels import numba_lane as nl
from anybn.kernels import numba_planes as npl
from anybn.kernels import numba_rows as nr
from anybn.kernels.numba_drive import (
    Job,
    Part,
    Vector,
    address_of,
    apply,
    blank_line,
    by_channels,
    compute,
    deal,
    fold,
    in_one,
    inner_rows,
    strides_of,
    words_of,
)
from anybn.kernels.pool import share

UNMOVED = 0, 0, 0, 0, 0.0, 0.0, 0.0
"""What `anybn.kernels.numba_lane` gets instead of running statistics."""


def _sum(this: Job, shift: Vector) -> tuple[Vector, Vector]:
    """Return the sums of x - shift and of its square, per channel."""
    shifts = np.tile(shift, this.copies) if this.copies > 1 else shift
    total = np.zeros((this.threads, 2, this.width))

    def work(parts: list[Part], thread: int) -> None:
        sums, squares = total[thread]
        for part in parts:
            operand = this.kind, this.addresses[0], strides_of(this, part, 0), inner_rows(this)
            if not this.loops.regular:
                npl.sums_exact(*operand, part.length, part.channels, part.rows, shifts, sums, squares)
            elif this.loops.planes:
                npl.sums_planes(*operand, part.length, part.channels, part.rows, shifts, sums, squares)
            else:
                nr.sums_rows(*operand, part.channels, part.rows, shifts, sums, squares)

    deal(this, work)
    sums, squares = total[0] if this.threads == 1 else total.sum(axis=0)
    return fold(this, sums), fold(this, squares)


def _statistics(
    this: Job, eps: float, scale: Vector, offset: Vector, line: NDArray[Any], mean: Vector, m2: Vector
) -> None:
    """Set mean, m2 and line from the sums; once more with a better shift, or exactly, where that is not enough."""
    loops, every = this.loops, (0, mean.size)
    shift, redo = np.empty_like(mean), np.zeros(mean.size)
    walks = [
        (this.kind, this.addresses[0], (start[0], *loops.strides[0]), loops.inner, loops.length)
        for start in loops.starts
    ]
    nf.sample(*walks[0], loops.rows, every, shift, np.zeros(mean.size))

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
        sums[c] = squares[c] = 0.0
        for walk in walks:
            npl.sums_exact(*walk, (c, c + 1), (0, loops.rows), shift, sums, squares)
        finish((c, c + 1), sums, squares, True)


def forward(this: Job, eps: float, scale: Vector, offset: Vector) -> tuple[Vector, Vector]:
    """Write y (operand 1) from x (operand 0); return mean and m2."""
    if in_one(this) and (this.threads == 1 or by_channels(this)):
        both, words = np.empty(2 * this.loops.channels, compute(this)), words_of(this)
        before = this.kind, words.ctypes.data, 0, *this.addresses, this.loops.channels
        after = *map(address_of, (scale, offset)), eps, id(both), *UNMOVED
        if share(nl.TRAIN[this.loops.planes], this.loops.channels, this.threads, before, after) == nf.DONE:
            return both[: this.loops.channels], both[this.loops.channels :]
    return forward_in_parts(this, eps, scale, offset)


def forward_in_parts(this: Job, eps: float, scale: Vector, offset: Vector) -> tuple[Vector, Vector]:
    """`forward`, whatever the layout and the numbers are."""
    channels, kind, line = this.loops.channels, compute(this), blank_line(this, 3)
    mean, m2 = np.empty(channels, kind), np.empty(channels, kind)
    _statistics(this, eps, scale, offset, line, mean, m2)
    apply(this, line)
    return mean, m2


def moments(this: Job) -> tuple[Vector, Vector]:
    """Return mean and m2 of x, the only operand."""
    channels, kind = this.loops.channels, compute(this)
    mean, m2, none = np.empty(channels, kind), np.empty(channels, kind), np.empty(0, kind)
    _statistics(this, 1.0, none, none, blank_line(this, 3), mean, m2)
    return mean, m2


def evaluate(this: Job, eps: float, mean: Vector, var: Vector, scale: Vector, offset: Vector) -> None:
    """Write y (operand 1) from x (operand 0) by given statistics."""
    if not in_one(this) or (this.threads > 1 and not by_channels(this)):
        evaluate_in_parts(this, eps, mean, var, scale, offset)
        return
    words, channels = words_of(this), this.loops.channels
    before = this.kind, words.ctypes.data, 0, *this.addresses, channels
    after = address_of(scale), address_of(offset), eps, address_of(mean), address_of(var)
    share(nl.EVALUATE[this.loops.planes], channels, this.threads, before, after)


def evaluate_in_parts(this: Job, eps: float, mean: Vector, var: Vector, scale: Vector, offset: Vector) -> None:
    """`evaluate`, whatever the layout is."""
    line = blank_line(this, 3)
    nf.line_of_statistics(eps, mean, var, scale, offset, line)
    apply(this, line)
