"""Compiled loops over data whose innermost axis is the channel (channels last, and plain ``(N, C)``).

An operand is an address and strides as in `anybn.kernels.numba_planes`; the channels of a row are neighbours. Sixteen rows are taken together: the
partial sums of sixteen channels stay in registers, in the computing type, and are added up in float64 (see `anybn.kernels.numba_planes`).
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.addresses import keep, memory, pointer, row_start
from anybn.kernels.compiled import compile_cached, inlined
from anybn.kernels.simd import (
    LANES,
    add,
    blank_from,
    load,
    load_part,
    multiply_add,
    store,
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


@inlined
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


@inlined
def fold(folded, sums):
    """Add up the copies of each channel."""
    for c in range(sums.size):
        sums[c] = 0.0
    for first in range(0, folded.size, sums.size):
        for c in range(sums.size):
            sums[c] += folded[first + c]


@inlined
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
            count = min(TOGETHER, rows[1] - r, inner_rows - r % inner_rows)
            _sum_rows(data, row_start(strides, inner_rows, r, 0), strides[2], count, block, k, s, q)
            r += count


@inlined
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


@inlined
def padded(line, rows):
    """Return each of the ``rows`` rows of ``line`` repeated to 16 numbers or more, and its beginning once more behind it."""
    width = line.size // rows
    stride = width * -(-LANES // width) + LANES
    lines = np.zeros(rows * stride, line.dtype)
    for k in range(rows):
        for j in range(width):
            lines[k * stride + j] = line[k * width + j]
        for j in range(k * stride + width, (k + 1) * stride):
            lines[j] = lines[j - width]
    return lines


@inlined
def _apply_flat(x, y, first, last, line, period):
    """Rows without gaps are one run of numbers: vectors go across the ends of rows, and from cache line to cache line."""
    stride = period + LANES
    while last > first:
        p = max(first, last - FLAT)
        c = p % period
        head = min(to_boundary(y, p), last - p)
        if head > 0:
            d = subtract(load_part(x, p, head), load(line, c))
            store_part(y, p, head, multiply_add(d, load(line, stride + c), load(line, 2 * stride + c)))
            p, c = p + head, (c + head) % period
        end, last = last, max(first, last - FLAT)
        while p + LANES <= end:
            d = subtract(load(x, p), load(line, c))
            store(y, p, multiply_add(d, load(line, stride + c), load(line, 2 * stride + c)))
            p, c = p + LANES, c + LANES
            if c >= period:
                c -= period
        if p < end:
            d = subtract(load_part(x, p, end - p), load(line, c))
            store_part(y, p, end - p, multiply_add(d, load(line, stride + c), load(line, 2 * stride + c)))


@inlined
def apply_rows(kind, x, y, x_strides, y_strides, inner_rows, channels, rows, line):
    """Write ``(x - line[0]) * line[1] + line[2]``, the last rows first: they are what the cache still holds."""
    end, width, coefficients = rows[1], line.size // 3, memory(line)
    source, result = pointer(kind, x), pointer(kind, y)
    while end > rows[0]:
        count = min(RUN, end - rows[0], (end - 1) % inner_rows + 1)
        end -= count
        at, to = row_start(x_strides, inner_rows, end, 0), row_start(y_strides, inner_rows, end, 0)
        _apply_rows(source, result, at, to, x_strides[2], y_strides[2], count, channels, coefficients, width)
    keep(line)


@compile_cached
def apply_packed(kind, x, y, rows, line):
    """`apply_rows` of whole rows without gaps, from addresses on."""
    width, lines = line.size // 3, padded(line, 3)
    period = lines.size // 3 - LANES
    _apply_flat(pointer(kind, x), pointer(kind, y), rows[0] * width, rows[1] * width, memory(lines), period)
    keep(lines)
