"""Between the sums and y: statistics of each channel and the straight line that normalises it, and the whole forward pass by channel.

``line`` is three rows of one number per channel, (center, slope, height): ``y = (x - center) * slope + height``. The center is the mean
rounded to the computing type; what rounding took is in the height, so a large mean costs y nothing.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.compiled import compile_cached
from anybn.kernels.numba_planes import apply_planes, row_start, sums_planes
from anybn.kernels.numba_rows import apply_rows, sums_rows
from anybn.kernels.simd import load_one, pointer

FAR = 64.0
"""A shift more than 8 deviations from the mean is replaced by the mean, and the sums are taken again."""


@compile_cached
def first_of_channel(kind, x, strides, shift):
    """Take one element of each channel as its shift."""
    data, step = pointer(kind, x), strides[3]  # the channel's, for rows and planes alike
    for c in range(shift.size):
        shift[c] = load_one(data, strides[0] + c * step)


@compile_cached
def fold(folded, sums):
    """Add up the copies of each channel."""
    sums[:] = 0.0
    for first in range(0, folded.size, sums.size):
        for c in range(sums.size):
            sums[c] += folded[first + c]


@compile_cached
def unfold(line, channels, folded):
    """Copy each row of ``line`` side by side until it fills the row of ``folded``."""
    wide = folded.size // (line.size // channels)
    for k in range(line.size // channels):
        for first in range(0, wide, channels):
            for c in range(channels):
                folded[k * wide + first + c] = line[k * channels + c]


@compile_cached
def finish(channels, count, eps, scale, offset, shift, sums, squares, line, mean, m2, last):
    """Set mean, m2 and line of these channels; return whether a shift was moved and the sums must be taken again."""
    again, width = False, line.size // 3
    for c in range(channels[0], channels[1]):
        move = sums[c] / count
        deviations = squares[c] - sums[c] * move
        center = shift[c] + move
        line[c] = center
        if not last and move * move * count > FAR * deviations and line[c] != shift[c]:
            shift[c] = line[c]
            again = True
            continue
        mean[c], m2[c] = center, deviations
        slope = (scale[c] if scale.size else 1.0) / np.sqrt(deviations / count + eps)
        line[width + c] = slope
        line[2 * width + c] = (offset[c] if offset.size else 0.0) - ((shift[c] - line[c]) + move) * slope
    return again


@compile_cached
def forward_planes(
    kind, x, y, x_strides, y_strides, inner, length, channels, rows, tile, eps, scale, offset, line, mean, m2
):
    """Sums, line and y of these channels, a tile at a time, so that y is computed from what is still in the cache."""
    width, count, data = mean.size, rows * length, pointer(kind, x)
    shift, sums, squares = np.empty(width), np.zeros(width), np.zeros(width)
    for first in range(channels[0], channels[1], tile):
        some = (first, min(first + tile, channels[1]))
        for c in range(some[0], some[1]):
            shift[c] = load_one(data, row_start(x_strides, inner, 0, c))
        sums_planes(kind, x, x_strides, inner, length, some, (0, rows), shift, sums, squares)
        if finish(some, count, eps, scale, offset, shift, sums, squares, line, mean, m2, False):
            sums[some[0] : some[1]] = 0.0
            squares[some[0] : some[1]] = 0.0
            sums_planes(kind, x, x_strides, inner, length, some, (0, rows), shift, sums, squares)
            finish(some, count, eps, scale, offset, shift, sums, squares, line, mean, m2, True)
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
    shifts, s, q = np.empty(wide), np.zeros(wide), np.zeros(wide)
    unfold(shift, width, shifts)
    whole, packed = rows // copies, (strides[0], 0, wide, 1)
    sums_rows(kind, x, packed, rows, (0, wide), (0, whole), shifts, s, q)
    sums_rows(kind, x, packed, rows, (0, (rows - whole * copies) * width), (whole, whole + 1), shifts, s, q)
    fold(s, sums)
    fold(q, squares)


@compile_cached
def forward_rows(kind, x, y, x_strides, y_strides, inner, rows, copies, eps, scale, offset, mean, m2):
    """Sums, line and y in one call, for one thread."""
    width = mean.size
    line, shift, sums, squares = np.empty(3 * width, mean.dtype), np.empty(width), np.empty(width), np.empty(width)
    first_of_channel(kind, x, x_strides, shift)
    channels = (0, width)
    sums_copies(kind, x, x_strides, inner, rows, copies, shift, sums, squares)
    if finish(channels, rows, eps, scale, offset, shift, sums, squares, line, mean, m2, False):
        sums_copies(kind, x, x_strides, inner, rows, copies, shift, sums, squares)
        finish(channels, rows, eps, scale, offset, shift, sums, squares, line, mean, m2, True)
    apply_rows(kind, x, y, x_strides, y_strides, inner, channels, (0, rows), line)


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
