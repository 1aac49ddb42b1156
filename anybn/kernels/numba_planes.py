"""Compiled loops over data whose innermost axis is reduced (NCHW and the like).

An operand is an address and ``strides = (start, outer, inner, channel, element)`` counted in elements; row ``r`` of channel ``c``
begins at ``start + (r // inner_rows) * outer + (r % inner_rows) * inner + c * channel``. Sums are taken of the differences to a shift
near the mean: 32 at most in the computing type (float32 rounds them by less than 1e-7, at random), which is twice as fast, and those
partial sums in float64.
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
    everywhere,
    fetch_ahead,
    load,
    load_one,
    load_part,
    multiply_add,
    store,
    store_one,
    store_part,
    subtract,
    to_boundary,
)

ALIGN_FROM = 128  # rows at least this long are written from cache line to cache line
FETCH_FROM = 512  # rows at least this long announce the next row: the hardware does not look across a page
RUN = 32 * LANES  # numbers of one channel that are added up in the computing type
GROUP = 128  # channels with sums under way: their partial sums stay in the first-level cache


@compile_cached
def row_start(strides, inner_rows, row, channel):
    """Where a row of a channel begins."""
    return strides[0] + (row // inner_rows) * strides[1] + (row % inner_rows) * strides[2] + channel * strides[3]


@compile_cached
def _run_sums(x, at, length, shift, step, part, slot, stride):
    s, q, k = load(part, slot), load(part, stride + slot), everywhere(shift)
    i, end = at, at + length - (LANES - 1)
    if step == 0:
        while i < end:
            d = subtract(load(x, i), k)
            s, q = add(s, d), multiply_add(d, d, q)
            i += LANES
    else:
        while i < end:
            fetch_ahead(x, i + step)
            d = subtract(load(x, i), k)
            s, q = add(s, d), multiply_add(d, d, q)
            i += LANES
    rest = at + length - i
    if rest > 0:
        d = blank_from(subtract(load_part(x, i, rest), k), rest)
        s, q = add(s, d), multiply_add(d, d, q)
    store(part, slot, s)
    store(part, stride + slot, q)


@compile_cached
def flush(part, wide, first, last):
    """Move the partial sums over to the float64 ones."""
    for i in range(first, last):
        wide[i] += part[i]
        part[i] = 0


@compile_cached
def sums_exact(kind, x, strides, inner_rows, length, channel, rows, shift, sums, squares):
    """Set the sums of one channel, in float64 from the first number on: no value is too large, no stride odd."""
    data, s, q, k = pointer(kind, x), 0.0, 0.0, np.float64(shift[channel])
    for r in range(rows[0], rows[1]):
        at = row_start(strides, inner_rows, r, channel)
        for i in range(length):
            d = np.float64(load_one(data, at + i * strides[4])) - k
            s += d
            q += d * d
    sums[channel], squares[channel] = s, q


@compile_cached
def _row_sums_strided(x, at, length, element, shift, wide, slot, stride):
    s = q = 0.0
    for i in range(length):
        d = np.float64(load_one(x, at + i * element)) - shift
        s += d
        q += d * d
    wide[slot] += s
    wide[stride + slot] += q


@compile_cached
def sums_planes(kind, x, strides, inner_rows, length, channels, rows, shift, sums, squares):
    """Add to ``sums[c]`` and ``squares[c]`` the sums of ``x - shift[c]`` and its square over these rows of these channels."""
    for first in range(channels[0], channels[1], GROUP):
        some = (first, min(first + GROUP, channels[1]))
        _sums_group(kind, x, strides, inner_rows, length, some, rows, shift, sums, squares)


@compile_cached
def _sums_group(kind, x, strides, inner_rows, length, channels, rows, shift, sums, squares):
    count = channels[1] - channels[0]
    stride = count * LANES
    part, wide = np.zeros(2 * stride, shift.dtype), np.zeros(2 * stride)
    data, work, fetch = pointer(kind, x), memory(part), length >= FETCH_FROM
    every = max(1, RUN // (LANES * -(-length // LANES)))
    for r in range(rows[0], rows[1]):
        start = row_start(strides, inner_rows, r, channels[0])
        for j in range(count):
            c, at, slot = channels[0] + j, start + j * strides[3], j * LANES
            if strides[4] != 1:
                _row_sums_strided(data, at, length, strides[4], np.float64(shift[c]), wide, slot, stride)
                continue
            step = 0
            if fetch and j + 1 < count:
                step = strides[3]
            elif fetch and r + 1 < rows[1]:
                step = row_start(strides, inner_rows, r + 1, channels[0]) - at
            for i in range(0, length, RUN):
                _run_sums(data, at + i, min(RUN, length - i), shift[c], step, work, slot, stride)
                if length > RUN:
                    flush(part, wide, slot, slot + LANES)
                    flush(part, wide, stride + slot, stride + slot + LANES)
        if length <= RUN and (r - rows[0] + 1) % every == 0:
            flush(part, wide, 0, 2 * stride)
    flush(part, wide, 0, 2 * stride)
    for j in range(count):
        sums[channels[0] + j] += wide[j * LANES : (j + 1) * LANES].sum()
        squares[channels[0] + j] += wide[stride + j * LANES : stride + (j + 1) * LANES].sum()


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
