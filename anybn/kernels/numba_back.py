"""The backward pass put together; see `anybn.kernels.numba_drive`."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anybn.kernels import numba_finish as nf
from anybn.kernels import numba_gradient as ng
from anybn.kernels import numba_gradient_rows as ngr
from anybn.kernels.numba_drive import (
    Job,
    Part,
    Vector,
    apply,
    blank_line,
    by_channels,
    compute,
    deal,
    every_strides,
    fold,
    inner_rows,
    places,
    strides_of,
    unfold,
)
from anybn.kernels.pool import run, split


def backward(this: Job, eps: float, mean: Vector, m2: Vector, scale: Vector) -> tuple[Vector, Vector]:
    """Write dx (operand 2) from dy and x (operands 0 and 1); return the gradients of scale and offset."""
    loops, channels, kind = this.loops, this.loops.channels, compute(this)
    d_scale, d_offset, line = np.empty(channels, kind), np.empty(channels, kind), blank_line(this, 4)
    if not by_channels(this):
        sums = _gradient_sums(this, mean)
        ng.gradient_finish((0, channels), loops.values, eps, scale, mean, m2, sums, line, d_scale, d_offset)
        _gradient_apply(this, line)
        return d_scale, d_offset
    dy, x, dx = places(loops)

    def work(some: tuple[int, int]) -> None:
        ng.backward_planes(
            this.kind, *this.addresses, dy, x, dx, loops.inner, loops.length, some, loops.rows, max(1, this.tile // 2),
            eps, scale, mean, m2, line, d_scale, d_offset,
        )  # fmt: skip

    run([partial(work, some) for some in split(channels, this.threads)])
    return d_scale, d_offset


def backward_evaluate(
    this: Job, eps: float, mean: Vector, var: Vector, scale: Vector, sums_too: bool
) -> tuple[Vector, Vector]:
    """Write dx where the statistics are constants; operands and return as `backward`."""
    line, none = blank_line(this, 3), np.empty(0, compute(this))
    nf.line_of_statistics(eps, np.zeros_like(mean), var, scale, none, line)
    inverse = 1.0 / np.sqrt(var.astype(np.float64) + eps)
    sums = _gradient_sums(this, mean) if sums_too else np.zeros((3, mean.size))
    picked = tuple((start[0], start[2]) for start in this.loops.starts)
    loops = this.loops._replace(strides=(this.loops.strides[0], this.loops.strides[2]), starts=picked)
    apply(this._replace(loops=loops, addresses=(this.addresses[0], this.addresses[2])), line)
    kind = compute(this)
    return (sums[1] * inverse).astype(kind), sums[0].astype(kind)


def _gradient_sums(this: Job, center: Vector) -> NDArray[np.float64]:
    """Return the sums of dy, dy * d and d, per channel."""
    centers = np.tile(center, this.copies)
    total = np.zeros((this.threads, 3, this.width))
    dy, x = this.addresses[:2]

    def work(parts: list[Part], thread: int) -> None:
        for part in parts:
            operands = this.kind, dy, x, strides_of(this, part, 0), strides_of(this, part, 1), inner_rows(this)
            if this.loops.planes:
                ng.gradient_sums_planes(*operands, part.length, part.channels, part.rows, centers, total[thread])
            else:
                ngr.gradient_sums_rows(*operands, part.channels, part.rows, centers, total[thread])

    deal(this, work)
    sums = total[0] if this.threads == 1 else total.sum(axis=0)
    sums = np.stack([fold(this, one) for one in sums]) if this.copies > 1 else sums
    for c in np.flatnonzero(~np.isfinite(sums.sum(axis=0))):
        sums[:, c] = 0.0
        for start in this.loops.starts:
            walks = [(begin, *strides) for begin, strides in zip(start[:2], this.loops.strides[:2], strict=True)]
            ng.gradient_sums_exact(
                this.kind, dy, x, *walks, this.loops.inner, this.loops.length, c, this.loops.rows, center, sums
            )
    return sums


def _gradient_apply(this: Job, line: NDArray[Any]) -> None:
    lines = unfold(this, line)

    def work(parts: list[Part], _: int) -> None:
        for part in parts:
            operands = this.kind, *this.addresses, *every_strides(this, part), inner_rows(this)
            if this.loops.planes:
                ng.gradient_apply_planes(*operands, part.length, part.channels, part.rows, lines)
            else:
                ngr.gradient_apply_rows(*operands, part.channels, part.rows, lines)

    deal(this, work)
