"""Compiled loops over data whose innermost axis is reduced (NCHW and the like).

An operand is an address and ``strides = (start, outer, inner, channel, element)`` counted in elements; row ``r`` of channel ``c``
begins at ``start + (r // inner_rows) * outer + (r % inner_rows) * inner + c * channel``. Sums are taken in float64 of the
differences to a shift, which is one element of the channel: the cancellation in the variance is then at most as large as the
number of elements times the float64 rounding, whatever the mean (an element lies within sqrt(n - 1) deviations of the mean).
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.compiled import compile_cached
from anybn.kernels.simd import (
    LANES,
    add,
    blank_from,
    everywhere,
    fetch_ahead,
    load,
    load_one,
    load_part,
    memory,
    multiply_add,
    pointer,
    store,
    store_one,
    store_part,
    subtract,
    to_boundary,
    to_wide,
)

ALIGN_FROM = 128  # rows at least this long are written from cache line to cache line
FETCH_FROM = 512  # rows at least this long announce the next row: the hardware does not look across a page


@compile_cached
def row_start(strides, inner_rows, row, channel):
    """Where a row of a channel begins."""
    return strides[0] + (row // inner_rows) * strides[1] + (row % inner_rows) * strides[2] + channel * strides[3]


@compile_cached
def _row_sums(x, at, length, shift, step, sums, squares, slot):
    s, q, k = load(sums, slot), load(squares, slot), everywhere(shift)
    i, end = at, at + length - (LANES - 1)
    if step == 0:
        while i < end:
            d = subtract(to_wide(load(x, i)), k)
            s, q = add(s, d), multiply_add(d, d, q)
            i += LANES
    else:
        while i < end:
            fetch_ahead(x, i + step)
            d = subtract(to_wide(load(x, i)), k)
            s, q = add(s, d), multiply_add(d, d, q)
            i += LANES
    rest = at + length - i
    if rest > 0:
        d = blank_from(subtract(to_wide(load_part(x, i, rest)), k), rest)
        s, q = add(s, d), multiply_add(d, d, q)
    store(sums, slot, s)
    store(squares, slot, q)


@compile_cached
def _row_sums_strided(x, at, length, element, shift, sums, squares, slot):
    s = q = 0.0
    for i in range(length):
        d = np.float64(load_one(x, at + i * element)) - shift
        s += d
        q += d * d
    store_one(sums, slot, load_one(sums, slot) + s)
    store_one(squares, slot, load_one(squares, slot) + q)


@compile_cached
def sums_planes(kind, x, strides, inner_rows, length, channels, rows, shift, sums, squares):
    """Add to ``sums[c]`` and ``squares[c]`` the sums of ``x - shift[c]`` and its square over these rows of these channels."""
    count = channels[1] - channels[0]
    s_lanes, q_lanes = np.zeros(count * LANES), np.zeros(count * LANES)
    data, s, q = pointer(kind, x), memory(s_lanes), memory(q_lanes)
    fetch = length >= FETCH_FROM
    for r in range(rows[0], rows[1]):
        start = row_start(strides, inner_rows, r, channels[0])
        for j in range(count):
            c, at = channels[0] + j, start + j * strides[3]
            if strides[4] != 1:
                _row_sums_strided(data, at, length, strides[4], shift[c], s, q, j * LANES)
                continue
            step = 0
            if fetch and j + 1 < count:
                step = strides[3]
            elif fetch and r + 1 < rows[1]:
                step = row_start(strides, inner_rows, r + 1, channels[0]) - at
            _row_sums(data, at, length, shift[c], step, s, q, j * LANES)
    for j in range(count):
        sums[channels[0] + j] += s_lanes[j * LANES : (j + 1) * LANES].sum()
        squares[channels[0] + j] += q_lanes[j * LANES : (j + 1) * LANES].sum()


@compile_cached
def _row_apply(x, y, at, to, length, center, scale, offset):
    h, a, b = everywhere(center), everywhere(scale), everywhere(offset)
    i = 0
    if length >= ALIGN_FROM:
        i = to_boundary(y, to)
        store_part(y, to, i, multiply_add(subtract(load_part(x, at, i), h), a, b))
    while i < length - (LANES - 1):
        store(y, to + i, multiply_add(subtract(load(x, at + i), h), a, b))
        i += LANES
    rest = length - i
    if rest > 0:
        store_part(y, to + i, rest, multiply_add(subtract(load_part(x, at + i, rest), h), a, b))


@compile_cached
def apply_planes(kind, x, y, x_strides, y_strides, inner_rows, length, channels, rows, line):
    """Write ``(x - line[0]) * line[1] + line[2]``, the last rows first: they are what the cache still holds."""
    width, source, result = line.size // 3, pointer(kind, x), pointer(kind, y)
    for r in range(rows[1] - 1, rows[0] - 1, -1):
        at, to = row_start(x_strides, inner_rows, r, channels[0]), row_start(y_strides, inner_rows, r, channels[0])
        for c in range(channels[0], channels[1]):
            h, a, b = line[c], line[width + c], line[2 * width + c]
            if x_strides[4] == 1 and y_strides[4] == 1:
                _row_apply(source, result, at, to, length, h, a, b)
            else:
                for i in range(length):
                    store_one(result, to + i * y_strides[4], (load_one(source, at + i * x_strides[4]) - h) * a + b)
            at += x_strides[3]
            to += y_strides[3]
