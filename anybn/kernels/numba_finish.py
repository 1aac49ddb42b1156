"""Between the sums and y: statistics of each channel and the straight line that normalises it, and the whole forward pass by channel.

``line`` is three rows of one number per channel, (center, slope, height): ``y = (x - center) * slope + height``. The center is the mean
rounded to the computing type; what rounding took is in the height, so a large mean costs y nothing.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.addresses import pointer
from anybn.kernels.compiled import compile_cached
from anybn.kernels.numba_planes import apply_planes, row_start, sums_exact, sums_planes
from anybn.kernels.numba_rows import apply_rows, fold, sums_rows, unfold
from anybn.kernels.simd import load_one

FAR = 4.0
"""A shift more than 2 deviations from the mean is replaced by the mean, and the sums are taken again."""

SAMPLES = 8  # of each channel, whose mean is the shift
DONE, AGAIN, EXACT = 0, 1, 2
"""What `finish` says of a channel: its sums are good; their shift was moved; they overflowed (or some number is not finite)."""


@compile_cached
def sample(kind, x, strides, inner, length, rows, channels, shift):
    """Set each channel's shift to the mean of some numbers from all over it."""
    data, element = pointer(kind, x), strides[4]
    few = min(SAMPLES, rows * length)
    places = np.empty(few, np.int64)
    for i in range(few):
        places[i] = row_start(strides, inner, i * rows // few, 0) + (2 * i + 1) * length // (2 * few) * element
    for c in range(channels[0], channels[1]):
        at = c * strides[3]
        first, rest = np.float64(load_one(data, places[0] + at)), 0.0  # so that a constant's mean is itself
        for i in range(1, few):
            rest += load_one(data, places[i] + at) - first
        shift[c] = first + rest / few


@compile_cached
def _lines(channels, share, eps, scale, offset, shift, sums, squares, line, mean, m2):
    """Set mean, m2 and line; in short loops over slices, which LLVM turns into vectors."""
    first, after, width = channels[0], channels[1], line.size // 3
    shifts, s, q = shift[first:after], sums[first:after], squares[first:after]
    means, deviations, centers = mean[first:after], m2[first:after], line[first:after]
    slope, height = line[width + first : width + after], line[2 * width + first : 2 * width + after]
    slopes = np.empty(after - first)
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
    if worst == DONE:
        _lines(channels, share, eps, scale, offset, shift, sums, squares, line, mean, m2)
        return worst
    for c in range(channels[0], channels[1]):
        if redo[c] == DONE:
            _lines((c, c + 1), share, eps, scale, offset, shift, sums, squares, line, mean, m2)
    return worst


@compile_cached
def settle(
    kind, x, strides, inner, length, channels, rows, eps, scale, offset, shift, sums, squares, line, mean, m2, redo
):
    """Take the sums of the channels that `finish` did not like once more, and finish them; rows are of one start."""
    count = rows * length
    for c in range(channels[0], channels[1]):
        if redo[c] == AGAIN:
            sums[c] = squares[c] = 0.0
            sums_planes(kind, x, strides, inner, length, (c, c + 1), (0, rows), shift, sums, squares)
            finish((c, c + 1), count, eps, scale, offset, shift, sums, squares, line, mean, m2, redo, False)
        if redo[c] != DONE:
            sums_exact(kind, x, strides, inner, length, c, (0, rows), shift, sums, squares)
            finish((c, c + 1), count, eps, scale, offset, shift, sums, squares, line, mean, m2, redo, True)


@compile_cached
def forward_planes(
    kind, x, y, x_strides, y_strides, inner, length, channels, rows, tile, eps, scale, offset, line, mean, m2
):
    """Sums, line and y of these channels, a tile at a time, so that y is computed from what is still in the cache."""
    width, count = mean.size, rows * length
    shift, redo = np.empty(width, mean.dtype), np.empty(width, np.uint8)
    sums, squares = np.zeros(width), np.zeros(width)
    for first in range(channels[0], channels[1], tile):
        some = (first, min(first + tile, channels[1]))
        sample(kind, x, x_strides, inner, length, rows, some, shift)
        sums_planes(kind, x, x_strides, inner, length, some, (0, rows), shift, sums, squares)
        if finish(some, count, eps, scale, offset, shift, sums, squares, line, mean, m2, redo, False) != DONE:
            settle(
                kind, x, x_strides, inner, length, some, rows, eps, scale, offset,
                shift, sums, squares, line, mean, m2, redo,
            )  # fmt: skip
        apply_planes(kind, x, y, x_strides, y_strides, inner, length, some, (0, rows), line)


@compile_cached
def sums_copies(kind, x, strides, inner, rows, copies, shift, sums, squares):
    """Set sums and squares of all channels over all rows, ``copies`` packed rows taken as one."""
    width = shift.size
    sums[:], squares[:] = 0.0, 0.0
    if copies == 1:
        sums_rows(kind, x, strides, inner, (0, width), (0, rows), shift, sums, squares)
        return
    wide = width * copies
    shifts, s, q = np.empty(wide, shift.dtype), np.zeros(wide), np.zeros(wide)
    unfold(shift, width, shifts)
    whole, packed = rows // copies, (strides[0], 0, wide, 1)
    sums_rows(kind, x, packed, rows, (0, wide), (0, whole), shifts, s, q)
    sums_rows(kind, x, packed, rows, (0, (rows - whole * copies) * width), (whole, whole + 1), shifts, s, q)
    fold(s, sums)
    fold(q, squares)


@compile_cached
def forward_rows(kind, x, y, x_strides, y_strides, inner, rows, copies, eps, scale, offset, mean, m2):
    """Sums, line and y in one call, for one thread; x_strides has an element's step of 1 at its end."""
    width, channels, walk = mean.size, (0, mean.size), x_strides[:4]
    line, shift, redo = np.empty(3 * width, mean.dtype), np.empty(width, mean.dtype), np.empty(width, np.uint8)
    sums, squares = np.empty(width), np.empty(width)
    sample(kind, x, x_strides, inner, 1, rows, channels, shift)
    sums_copies(kind, x, walk, inner, rows, copies, shift, sums, squares)
    found = finish(channels, rows, eps, scale, offset, shift, sums, squares, line, mean, m2, redo, False)
    if found == AGAIN:
        sums_copies(kind, x, walk, inner, rows, copies, shift, sums, squares)
        found = finish(channels, rows, eps, scale, offset, shift, sums, squares, line, mean, m2, redo, False)
    if found != DONE:
        for c in range(width):
            if redo[c] != DONE:
                sums_exact(kind, x, x_strides, inner, 1, c, (0, rows), shift, sums, squares)
                finish((c, c + 1), rows, eps, scale, offset, shift, sums, squares, line, mean, m2, redo, True)
    apply_rows(kind, x, y, walk, y_strides, inner, channels, (0, rows), line)


@compile_cached
def line_of_statistics(eps, mean, var, scale, offset, line):
    """Set the line for given statistics."""
    width = mean.size
    for c in range(width):
        slope = 1.0 / np.sqrt(np.float64(var[c]) + eps)
        if scale.size:
            slope *= scale[c]
        line[c], line[width + c] = mean[c], slope
        line[2 * width + c] = offset[c] if offset.size else 0.0
