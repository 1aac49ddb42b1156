"""The backward pass put together; see `anybn.kernels.numba_drive`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anybn.kernels import numba_finish as nf
from anybn.kernels import numba_gradient as ng
from anybn.kernels import numba_gradient_rows as ngr
from anybn.kernels import numba_lane as nl
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
    every_strides,
    fold,
    in_one,
    inner_rows,
    strides_of,
    unfold,
    words_of,
)
from anybn.kernels.pool import share


def backward(this: Job, eps: float, mean: Vector, m2: Vector, scale: Vector) -> tuple[Vector, Vector]:
    """Write dx (operand 2) from dy and x (operands 0 and 1); return the gradients of scale and offset."""
    channels, kind = this.loops.channels, compute(this)
    if in_one(this) and (this.threads == 1 or by_channels(this)):
        d_scale, d_offset, words = np.empty(channels, kind), np.empty(channels, kind), words_of(this)
        before, both = (this.kind, words.ctypes.data, *this.addresses, channels), np.concatenate((mean, m2))
        after = address_of(scale), eps, id(both), address_of(d_scale), address_of(d_offset)
        if not share(nl.BACK[this.loops.planes], channels, this.threads, before, after):
            return d_scale, d_offset
    return backward_in_parts(this, eps, mean, m2, scale)


def backward_in_parts(this: Job, eps: float, mean: Vector, m2: Vector, scale: Vector) -> tuple[Vector, Vector]:
    """`backward`, whatever the layout and the numbers are."""
    channels, kind, sums, line = this.loops.channels, compute(this), _gradient_sums(this, mean), blank_line(this, 4)
    d_scale, d_offset = np.empty(channels, kind), np.empty(channels, kind)
    ng.gradient_finish((0, channels), this.loops.values, eps, scale, mean, m2, sums, line, d_scale, d_offset)
    _gradient_apply(this, line)
    return d_scale, d_offset


def backward_evaluate(
    this: Job, eps: float, mean: Vector, var: Vector, scale: Vector, sums_too: bool
) -> tuple[Vector, Vector]:
    """Write dx where the statistics are constants; operands and return as `backward`."""
    line, none = blank_line(this, 3), np.empty(0, compute(this))
    nf.line_of_statistics(eps, np.zeros_like(mean), var, scale, none, line)
    inverse = 1.0 / np.sqrt(var.astype(np.float64) + eps)
    sums = _gradient_sums(this, mean) if sums_too else np.zeros(3 * mean.size)
    picked = tuple((start[0], start[2]) for start in this.loops.starts)
    loops = this.loops._replace(strides=(this.loops.strides[0], this.loops.strides[2]), starts=picked)
    apply(this._replace(loops=loops, addresses=(this.addresses[0], this.addresses[2])), line)
    kind = compute(this)
    products, offset = sums[mean.size : 2 * mean.size], sums[: mean.size]
    return (products * inverse).astype(kind), offset.astype(kind)


def _gradient_sums(this: Job, center: Vector) -> NDArray[np.float64]:
    """Return the sums of dy, dy * d and d: three rows of one number per channel."""
    centers = np.tile(center, this.copies)
    total = np.zeros((this.threads, 3 * this.width))
    dy, x = this.addresses[:2]

    def work(parts: list[Part], thread: int) -> None:
        for part in parts:
            operands = this.kind, dy, x, strides_of(this, part, 0), strides_of(this, part, 1), inner_rows(this)
            if not this.loops.regular:
                ng.gradient_sums_exact(*operands, part.length, part.channels, part.rows, centers, total[thread])
            elif this.loops.planes:
                ng.gradient_sums_planes(*operands, part.length, part.channels, part.rows, centers, total[thread])
            else:
                ngr.gradient_sums_rows(*operands, part.channels, part.rows, centers, total[thread])

    deal(this, work)
    sums = total[0] if this.threads == 1 else total.sum(axis=0)
    sums = np.concatenate([fold(this, one) for one in sums.reshape(3, -1)]) if this.copies > 1 else sums
    for c in np.flatnonzero(~np.isfinite(sums.reshape(3, -1).sum(axis=0))).tolist():
        sums[c :: this.loops.channels] = 0.0
        for start in this.loops.starts:
            walks = [(begin, *strides) for begin, strides in zip(start[:2], this.loops.strides[:2], strict=True)]
            ng.gradient_sums_exact(
                this.kind,
                dy,
                x,
                *walks,
                this.loops.inner,
                this.loops.length,
                (c, c + 1),
                (0, this.loops.rows),
                center,
                sums,
            )
    return sums


def _gradient_apply(this: Job, line: NDArray[Any]) -> None:
    lines = unfold(this, line)

    def work(parts: list[Part], _: int) -> None:
        for part in parts:
            operands = this.kind, *this.addresses, *every_strides(this, part), inner_rows(this)
            if not this.loops.regular:
                ng.gradient_apply_strided(*operands, part.length, part.channels, part.rows, lines)
            elif this.loops.planes:
                ng.gradient_apply_planes(*operands, part.length, part.channels, part.rows, lines)
            elif this.loops.packed_rows and part.channels == (0, this.width):
                ngr.gradient_apply_packed(this.kind, *this.addresses, part.rows, lines)
            else:
                ngr.gradient_apply_rows(*operands, part.channels, part.rows, lines)

    deal(this, work)
