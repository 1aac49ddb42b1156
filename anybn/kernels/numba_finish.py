"""Between the sums and y: statistics of each channel and the straight line that normalises it, and the whole forward pass by channel.

``line`` is three rows of one number per channel, (center, slope, height): ``y = (x - center) * slope + height``. The center is the mean
rounded to the computing type; what rounding took is in the height, so a large mean costs y nothing.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.addresses import pointer, row_start
from anybn.kernels.compiled import compile_cached, inlined
from anybn.kernels.numba_planes import ZERO, apply_planes, sums_planes
from anybn.kernels.numba_rows import apply_packed, fold, sums_rows, unfold
from anybn.kernels.simd import load_one

FAR = 4.0
"""A shift more than 2 deviations from the mean is replaced by the mean, and the sums are taken again."""

SAMPLES = 8  # of each channel, whose mean is the shift
NOT = np.bool_(False)
DONE, AGAIN, EXACT = 0, 1, 2
"""What `finish` says of a channel: its sums are good; their shift was moved; they overflowed (or some number is not finite)."""


@compile_cached
def sample(kind, x, strides, inner, length, rows, channels, shift, sums):
    """Set each channel's shift to the mean of some numbers from all over it; ``sums`` is room, 0 before and after."""
    data, few = pointer(kind, x), min(SAMPLES, rows * length)
    for i in range(few):
        at = row_start(strides, inner, i * rows // few, channels[0]) + (2 * i + 1) * length // (2 * few) * strides[4]
        for c in range(channels[0], channels[1]):
            if i == 0:
                shift[c] = load_one(data, at)  # from here on differences, so that a constant's mean is itself
            else:
                sums[c] += np.float64(load_one(data, at)) - shift[c]
            at += strides[3]
    for c in range(channels[0], channels[1]):
        shift[c] += sums[c] / few
        sums[c] = 0.0


@inlined
def _lines(first, after, share, eps, scale, offset, shift, sums, squares, line, mean, m2):
    """Set mean, m2 and line; in short loops over slices, which LLVM turns into vectors."""
    width = line.size // 3
    shifts, s, q = shift[first:after], sums[first:after], squares[first:after]
    means, deviations, centers = mean[first:after], m2[first:after], line[first:after]
    slope, height = line[width + first : width + after], line[2 * width + first : 2 * width + after]
    slopes = np.zeros(after - first)
    for j in range(slopes.size):
        slopes[j] = q[j] - s[j] * (s[j] * share)
    for j in range(slopes.size):
        deviations[j] = slopes[j]
        slopes[j] = 1.0 / np.sqrt(slopes[j] * share + eps)
    if scale.size:
        scales = scale[first:after]
        for j in range(slopes.size):
            slopes[j] *= scales[j]
    for j in range(slopes.size):
        centers[j] = shifts[j] + s[j] * share
        means[j] = centers[j]
    for j in range(slopes.size):
        slope[j] = slopes[j]
        slopes[j] *= (centers[j] - shifts[j]) - s[j] * share
    if offset.size:
        offsets = offset[first:after]
        for j in range(slopes.size):
            slopes[j] += offsets[j]
    for j in range(slopes.size):
        height[j] = slopes[j]


@compile_cached
def finish(channels, count, eps, scale, offset, shift, sums, squares, line, mean, m2, redo, last):
    """Set mean, m2 and line of these channels where their sums are good; set ``redo`` and return its largest."""
    worst, share = DONE, 1.0 / count
    for c in range(channels[0], channels[1]):
        move = sums[c] * share
        deviations = squares[c] - sums[c] * move
        redo[c] = DONE
        if last:
            continue
        if not np.isfinite(deviations):
            redo[c] = worst = EXACT
        elif move * move * count > FAR * deviations:
            line[c] = shift[c] + move
            if line[c] != shift[c]:
                shift[c] = line[c]
                redo[c] = AGAIN
                worst = max(worst, AGAIN)
    together = channels[1] - channels[0] if worst == DONE else 1
    for c in range(channels[0], channels[1], max(1, together)):
        if redo[c] == DONE:
            _lines(c, c + together, share, eps, scale, offset, shift, sums, squares, line, mean, m2)
    return worst


@inlined
def forward_planes(
    kind, x, y, x_strides, y_strides, inner, length, channels, rows, tile, eps, scale, offset, line, mean, m2
):
    """Sums, line and y of these channels, a tile at a time, so that y is computed from what is still in the cache.

    Stops at the first tile with a number for which this is not exact enough, and returns what is wrong; else `DONE`.
    """
    width, every, found = mean.size, (ZERO, rows), DONE
    shift, sums, squares, redo = np.zeros(width, mean.dtype), np.zeros(width), np.zeros(width), np.zeros(width)
    for first in range(channels[0], channels[1], tile):
        some = (first, min(first + tile, channels[1]))
        sample(kind, x, x_strides, inner, length, rows, some, shift, sums)
        for attempt in range(2):
            if attempt == 0 or found == AGAIN:
                for c in range(some[0], some[1]):
                    sums[c] = squares[c] = 0.0
                sums_planes(kind, x, x_strides, inner, length, some, every, shift, sums, squares)
                found = finish(some, rows * length, eps, scale, offset, shift, sums, squares, line, mean, m2, redo, NOT)
        if found != DONE:
            break
        apply_planes(kind, x, y, x_strides, y_strides, inner, length, some, every, line)
    return found


@inlined
def sums_copies(kind, x, strides, rows, copies, shift, sums, squares):
    """Set sums and squares of all channels over all rows, which have no gaps; ``copies`` rows are taken as one."""
    width, whole = shift.size, rows // copies
    wide = width * copies
    shifts, s, q = np.zeros(wide, shift.dtype), np.zeros(wide), np.zeros(wide)
    unfold(shift, width, shifts)
    packed = (strides[0], ZERO, wide, strides[3], strides[4])
    first, last, until = ZERO, whole, wide
    while until > 0:
        sums_rows(kind, x, packed, rows, (ZERO, until), (first, last), shifts, s, q)
        first, last, until = whole, whole + 1, (rows - whole * copies) * width if last == whole else 0
    fold(s, sums)
    fold(q, squares)


@inlined
def forward_rows(kind, x, y, strides, length, rows, copies, eps, scale, offset, mean, m2):
    """Sums, line and y of rows without gaps, for one thread; returns as `forward_planes`."""
    width, channels, found = mean.size, (ZERO, mean.size), AGAIN
    line, shift, redo = np.zeros(3 * width, mean.dtype), np.zeros(width, mean.dtype), np.zeros(width)
    sums, squares = np.zeros(width), np.zeros(width)
    sample(kind, x, strides, rows, length, rows, channels, shift, sums)
    for _ in range(2):
        if found == AGAIN:
            sums_copies(kind, x, strides, rows, copies, shift, sums, squares)
            found = finish(channels, rows, eps, scale, offset, shift, sums, squares, line, mean, m2, redo, NOT)
    if found == DONE:
        apply_packed(kind, x, y, (ZERO, rows), line)
    return found


@inlined
def line_of_statistics(eps, mean, var, scale, offset, line):
    """Set the line for given statistics."""
    width = mean.size
    for c in range(width):
        slope = 1.0 / np.sqrt(np.float64(var[c]) + eps)
        if scale.size:
            slope *= scale[c]
        line[c], line[width + c] = mean[c], slope
        line[2 * width + c] = offset[c] if offset.size else 0.0
