"""Compiled loops over data whose innermost axis is reduced (NCHW and the like).

An operand is an address and ``strides = (start, outer, inner, channel, element)`` counted in elements; row ``r`` of channel ``c``
begins at ``start + (r // inner_rows) * outer + (r % inner_rows) * inner + c * channel``. Sums are taken of the differences to a shift
near the mean: 32 at most in the computing type (float32 rounds them by less than 1e-7, at random), which is twice as fast, and those
partial sums in float64.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.addresses import memory, pointer, row_start
from anybn.kernels.compiled import compile_cached, inlined
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
    to_wide,
)

ALIGN_FROM = 128  # rows at least this long are written from cache line to cache line
FETCH_FROM = 512  # rows at least this long announce the next row: the hardware does not look across a page
ZERO = np.int64(0)
"""A 0 that Numba does not take for a type of its own: a function that gets it is not compiled once more."""
RUN = 32 * LANES  # numbers of one channel that are added up in the computing type
GROUP = 128  # channels with sums under way: their partial sums stay in the first-level cache


@inlined
def _run_sums(x, at, length, shift, step, part, wide, slot, stride, alone):
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
    if alone:
        store(wide, slot, add(load(wide, slot), to_wide(s)))
        store(wide, stride + slot, add(load(wide, stride + slot), to_wide(q)))
    else:
        store(part, slot, s)
        store(part, stride + slot, q)


@inlined
def flush(part, wide):
    """Move the partial sums over to the float64 ones."""
    for i in range(wide.size):
        wide[i] += part[i]
        part[i] = 0


@inlined
def sums_exact(kind, x, strides, inner_rows, length, channels, rows, shift, sums, squares):
    """`sums_planes` in float64 from the first number on: no value is too large, no stride odd; for data of any layout."""
    data = pointer(kind, x)
    for r in range(rows[0], rows[1]):
        for c in range(channels[0], channels[1]):
            at, s, q, k = row_start(strides, inner_rows, r, c), 0.0, 0.0, np.float64(shift[c])
            for i in range(length):
                d = np.float64(load_one(data, at + i * strides[4])) - k
                s += d
                q += d * d
            sums[c] += s
            squares[c] += q


@inlined
def ahead(fetch, more, row, until, strides, inner_rows, first, at):
    """How far on the next plane begins, to be asked of memory early: in this row if there are more, else in the next; 0 is not to ask."""
    if fetch and more:
        return strides[3]
    if fetch and row < until:
        return row_start(strides, inner_rows, row, first) - at
    return ZERO


@compile_cached
def sums_planes(kind, x, strides, inner_rows, length, channels, rows, shift, sums, squares):
    """Add to ``sums[c]`` and ``squares[c]`` the sums of ``x - shift[c]`` and its square over these rows of these channels.

    The numbers of a row are neighbours.
    """
    data, alone = pointer(kind, x), length > RUN
    fetch, every = length >= FETCH_FROM, max(1, RUN // (LANES * -(-length // LANES)))
    for first in range(channels[0], channels[1], GROUP):
        count = min(GROUP, channels[1] - first)
        stride = count * LANES
        part, wide = np.zeros(2 * stride, shift.dtype), np.zeros(2 * stride)
        for r in range(rows[0], rows[1]):
            at = row_start(strides, inner_rows, r, first)
            for j in range(count):
                step = ahead(fetch, j + 1 < count, r + 1, rows[1], strides, inner_rows, first, at)
                for i in range(0, length, RUN):
                    n, k = min(RUN, length - i), shift[first + j]
                    _run_sums(data, at + i, n, k, step, memory(part), memory(wide), j * LANES, stride, alone)
                at += strides[3]
            if not alone and ((r - rows[0] + 1) % every == 0 or r + 1 == rows[1]):
                flush(part, wide)
        for i in range(stride):
            sums[first + i // LANES] += wide[i]
            squares[first + i // LANES] += wide[stride + i]


@inlined
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
    """Write ``(x - line[0]) * line[1] + line[2]``, the last rows first: they are what the cache still holds.

    The numbers of a row are neighbours.
    """
    width, source, result = line.size // 3, pointer(kind, x), pointer(kind, y)
    for r in range(rows[1] - 1, rows[0] - 1, -1):
        at, to = row_start(x_strides, inner_rows, r, channels[0]), row_start(y_strides, inner_rows, r, channels[0])
        for c in range(channels[0], channels[1]):
            _row_apply(source, result, at, to, length, line[c], line[width + c], line[2 * width + c])
            at += x_strides[3]
            to += y_strides[3]


@inlined
def apply_strided(kind, x, y, x_strides, y_strides, inner_rows, length, channels, rows, line):
    """`apply_planes` of data of any layout."""
    width, source, result = line.size // 3, pointer(kind, x), pointer(kind, y)
    for r in range(rows[0], rows[1]):
        for c in range(channels[0], channels[1]):
            at, to = row_start(x_strides, inner_rows, r, c), row_start(y_strides, inner_rows, r, c)
            h, a, b = line[c], line[width + c], line[2 * width + c]
            for i in range(length):
                store_one(result, to + i * y_strides[4], (load_one(source, at + i * x_strides[4]) - h) * a + b)
