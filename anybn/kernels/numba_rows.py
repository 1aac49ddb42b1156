"""Compiled loops over data whose innermost axis is the channel (channels last, and plain ``(N, C)``).

An operand is an address and ``strides = (start, outer, inner, channel)`` in elements. Sixteen rows are taken together: the
partial sums of sixteen channels stay in registers, in the computing type, and are added up in float64 (see `anybn.kernels.numba_planes`).
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.addresses import memory, pointer
from anybn.kernels.compiled import compile_cached
from anybn.kernels.simd import (
    LANES,
    add,
    blank_from,
    load,
    load_one,
    load_part,
    multiply_add,
    store,
    store_one,
    store_part,
    subtract,
    to_boundary,
    to_wide,
)

TOGETHER = 16  # rows that are added up in the computing type
RUN = 64  # rows written in ascending order, so that each run is one stream of memory
FLAT = (
    1 << 18
)  # numbers written in ascending order, where the rows have no gaps: shorter runs restart the hardware's looking ahead
BLOCK = 1024  # channels whose accumulators are in use at a time: they stay in the first-level cache


@compile_cached
def _sum_rows(x, at, inner, count, channels, shift, sums, squares):
    """Add ``count`` rows, ``inner`` apart, the first channel at ``at``: in the computing type, and their sums in float64."""
    c = channels[0]
    while c + LANES <= channels[1]:
        k = load(shift, c)
        s = q = blank_from(k, 0)
        i = at + c
        for _ in range(count):
            d = subtract(load(x, i), k)
            s, q = add(s, d), multiply_add(d, d, q)
            i += inner
        store(sums, c, add(load(sums, c), to_wide(s)))
        store(squares, c, add(load(squares, c), to_wide(q)))
        c += LANES
    rest = channels[1] - c
    if rest > 0:
        k = load_part(shift, c, rest)
        s = q = blank_from(k, 0)
        i = at + c
        for _ in range(count):
            d = subtract(load_part(x, i, rest), k)
            s, q = add(s, d), multiply_add(d, d, q)
            i += inner
        store_part(sums, c, rest, add(load_part(sums, c, rest), to_wide(s)))
        store_part(squares, c, rest, add(load_part(squares, c, rest), to_wide(q)))


@compile_cached
def _sum_rows_strided(x, at, inner, count, channels, step, shift, sums, squares):
    for r in range(count):
        for c in range(channels[0], channels[1]):
            d = np.float64(load_one(x, at + r * inner + c * step)) - load_one(shift, c)
            store_one(sums, c, load_one(sums, c) + d)
            store_one(squares, c, load_one(squares, c) + d * d)


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
def sums_rows(kind, x, strides, inner_rows, channels, rows, shift, sums, squares):
    """Add to ``sums[c]`` and ``squares[c]`` the sums of ``x - shift[c]`` and of its square over these rows."""
    data, k, s, q = pointer(kind, x), memory(shift), memory(sums), memory(squares)
    for first in range(channels[0], channels[1], BLOCK):
        block = (first, min(first + BLOCK, channels[1]))
        r = rows[0]
        while r < rows[1]:
            column = r % inner_rows
            count = min(TOGETHER, rows[1] - r, inner_rows - column)
            at = strides[0] + (r // inner_rows) * strides[1] + column * strides[2]
            if strides[3] == 1:
                _sum_rows(data, at, strides[2], count, block, k, s, q)
            else:
                _sum_rows_strided(data, at, strides[2], count, block, strides[3], k, s, q)
            r += count


@compile_cached
def _apply_rows(x, y, at, to, x_inner, y_inner, count, channels, line, width):
    for _ in range(count):
        c = channels[0]
        while c + LANES <= channels[1]:
            d = subtract(load(x, at + c), load(line, c))
            store(y, to + c, multiply_add(d, load(line, width + c), load(line, 2 * width + c)))
            c += LANES
        rest = channels[1] - c
        if rest > 0:
            d = subtract(load_part(x, at + c, rest), load_part(line, c, rest))
            b = load_part(line, 2 * width + c, rest)
            store_part(y, to + c, rest, multiply_add(d, load_part(line, width + c, rest), b))
        at += x_inner
        to += y_inner


@compile_cached
def padded(line, rows):
    """Return each of the ``rows`` rows of ``line`` repeated to 16 numbers or more, and its beginning once more behind it."""
    width = line.size // rows
    period = width * -(-LANES // width)
    lines = np.empty((rows, period + LANES), line.dtype)
    for k in range(rows):
        lines[k, :width] = line[k * width : (k + 1) * width]
        for j in range(width, period + LANES):
            lines[k, j] = lines[k, j - width]
    return lines


@compile_cached
def _apply_flat(x, y, at, to, first, last, line, period):
    """Rows without gaps are one run of numbers: vectors go across the ends of rows, and from cache line to cache line."""
    stride = period + LANES
    while last > first:
        p = max(first, last - FLAT)
        c = p % period
        head = min(to_boundary(y, to + p), last - p)
        if head > 0:
            d = subtract(load_part(x, at + p, head), load(line, c))
            store_part(y, to + p, head, multiply_add(d, load(line, stride + c), load(line, 2 * stride + c)))
            p, c = p + head, (c + head) % period
        end, last = last, max(first, last - FLAT)
        while p + LANES <= end:
            d = subtract(load(x, at + p), load(line, c))
            store(y, to + p, multiply_add(d, load(line, stride + c), load(line, 2 * stride + c)))
            p, c = p + LANES, c + LANES
            if c >= period:
                c -= period
        if p < end:
            d = subtract(load_part(x, at + p, end - p), load(line, c))
            store_part(y, to + p, end - p, multiply_add(d, load(line, stride + c), load(line, 2 * stride + c)))


@compile_cached
def _apply_rows_strided(x, y, at, to, inner, count, channels, step, line, width):
    for r in range(count):
        for c in range(channels[0], channels[1]):
            value = load_one(x, at + r * inner[0] + c * step[0])
            value = (value - load_one(line, c)) * load_one(line, width + c) + load_one(line, 2 * width + c)
            store_one(y, to + r * inner[1] + c * step[1], value)


@compile_cached
def apply_rows(kind, x, y, x_strides, y_strides, inner_rows, channels, rows, line):
    """Write ``(x - line[0]) * line[1] + line[2]``, the last rows first: they are what the cache still holds."""
    end, width = rows[1], line.size // 3
    source, result, coefficients = pointer(kind, x), pointer(kind, y), memory(line)
    if x_strides[2] == width and y_strides[2] == width and x_strides[3] == 1 and y_strides[3] == 1:
        if channels[1] - channels[0] == width and rows[1] <= inner_rows:
            lines = padded(line, 3)
            first, last = rows[0] * width, rows[1] * width
            _apply_flat(
                source, result, x_strides[0], y_strides[0], first, last, memory(lines[0]), lines.shape[1] - LANES
            )
            return
    while end > rows[0]:
        column = (end - 1) % inner_rows + 1
        count = min(RUN, end - rows[0], column)
        r = end - count
        at = x_strides[0] + (r // inner_rows) * x_strides[1] + (column - count) * x_strides[2]
        to = y_strides[0] + (r // inner_rows) * y_strides[1] + (column - count) * y_strides[2]
        inner = (x_strides[2], y_strides[2])
        if x_strides[3] == 1 and y_strides[3] == 1:
            _apply_rows(source, result, at, to, inner[0], inner[1], count, channels, coefficients, width)
        else:
            step = (x_strides[3], y_strides[3])
            _apply_rows_strided(source, result, at, to, inner, count, channels, step, coefficients, width)
        end = r
