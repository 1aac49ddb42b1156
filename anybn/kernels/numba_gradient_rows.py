"""The backward loops over data whose innermost axis is the channel; see `anybn.kernels.numba_gradient`."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.addresses import keep, memory, pointer, row_start
from anybn.kernels.compiled import compile_cached, inlined
from anybn.kernels.numba_gradient import gradient_finish, overflown
from anybn.kernels.numba_planes import ZERO
from anybn.kernels.numba_rows import BLOCK, FLAT, RUN, padded, unfold
from anybn.kernels.simd import (
    LANES,
    add,
    blank_from,
    load,
    load_part,
    multiply,
    multiply_add,
    store,
    store_part,
    subtract,
    to_boundary,
    to_wide,
)

TOGETHER = 8  # two operands: more rows at a time are more streams than the processor looks ahead on


@inlined
def _sum_rows(dy, x, start, at, dy_inner, x_inner, count, channels, center, sums, width):
    for c in range(channels[0], channels[1], LANES):
        n = min(LANES, channels[1] - c)
        i, o = at + c, start + c
        if n == LANES:
            k = load(center, c)
            g = p = m = blank_from(k, 0)
            for _ in range(count):
                d, e = subtract(load(x, i), k), load(dy, o)
                g, p, m = add(g, e), multiply_add(d, e, p), add(m, d)
                i += x_inner
                o += dy_inner
            store(sums, c, add(load(sums, c), to_wide(g)))
            store(sums, width + c, add(load(sums, width + c), to_wide(p)))
            store(sums, 2 * width + c, add(load(sums, 2 * width + c), to_wide(m)))
        else:
            k = load_part(center, c, n)
            g = p = m = blank_from(k, 0)
            for _ in range(count):
                d, e = subtract(load_part(x, i, n), k), load_part(dy, o, n)
                g, p, m = add(g, e), multiply_add(d, e, p), add(m, d)
                i += x_inner
                o += dy_inner
            store_part(sums, c, n, add(load_part(sums, c, n), to_wide(g)))
            store_part(sums, width + c, n, add(load_part(sums, width + c, n), to_wide(p)))
            store_part(sums, 2 * width + c, n, add(load_part(sums, 2 * width + c, n), to_wide(m)))


@compile_cached
def gradient_sums_rows(kind, dy, x, dy_strides, x_strides, inner_rows, channels, rows, center, sums):
    """Add to ``sums`` (three rows of one number per channel) the sums of dy, dy * d and d over these rows."""
    gradient, data, width = pointer(kind, dy), pointer(kind, x), center.size
    k, work = memory(center), memory(sums)
    for first in range(channels[0], channels[1], BLOCK):
        block = (first, min(first + BLOCK, channels[1]))
        r = rows[0]
        while r < rows[1]:
            count = min(TOGETHER, rows[1] - r, inner_rows - r % inner_rows)
            start, at = row_start(dy_strides, inner_rows, r, 0), row_start(x_strides, inner_rows, r, 0)
            _sum_rows(gradient, data, start, at, dy_strides[2], x_strides[2], count, block, k, work, width)
            r += count


@inlined
def _apply_rows(dy, x, dx, places, inner, count, channels, line, width):
    start, at, to = places
    for _ in range(count):
        c = channels[0]
        while c + LANES <= channels[1]:
            d = subtract(load(x, at + c), load(line, c))
            e = multiply_add(d, load(line, 2 * width + c), subtract(load(dy, start + c), load(line, 3 * width + c)))
            store(dx, to + c, multiply(e, load(line, width + c)))
            c += LANES
        rest = channels[1] - c
        if rest > 0:
            d = subtract(load_part(x, at + c, rest), load_part(line, c, rest))
            e = subtract(load_part(dy, start + c, rest), load_part(line, 3 * width + c, rest))
            e = multiply_add(d, load_part(line, 2 * width + c, rest), e)
            store_part(dx, to + c, rest, multiply(e, load_part(line, width + c, rest)))
        start += inner[0]
        at += inner[1]
        to += inner[2]


@inlined
def _apply_flat(dy, x, dx, first, last, line, period):
    stride = period + LANES
    while last > first:
        p = max(first, last - FLAT)
        c = p % period
        head = min(to_boundary(dx, p), last - p)
        if head > 0:
            d = subtract(load_part(x, p, head), load(line, c))
            e = subtract(load_part(dy, p, head), load(line, 3 * stride + c))
            store_part(dx, p, head, multiply(multiply_add(d, load(line, 2 * stride + c), e), load(line, stride + c)))
            p, c = p + head, (c + head) % period
        end, last = last, max(first, last - FLAT)
        while p + LANES <= end:
            d = subtract(load(x, p), load(line, c))
            e = subtract(load(dy, p), load(line, 3 * stride + c))
            store(dx, p, multiply(multiply_add(d, load(line, 2 * stride + c), e), load(line, stride + c)))
            p, c = p + LANES, c + LANES
            if c >= period:
                c -= period
        rest = end - p
        if rest > 0:
            d = subtract(load_part(x, p, rest), load(line, c))
            e = subtract(load_part(dy, p, rest), load(line, 3 * stride + c))
            store_part(dx, p, rest, multiply(multiply_add(d, load(line, 2 * stride + c), e), load(line, stride + c)))


@inlined
def gradient_apply_rows(kind, dy, x, dx, dy_strides, x_strides, dx_strides, inner_rows, channels, rows, line):
    """Write dx of these rows, the last rows first."""
    end, width, coefficients = rows[1], line.size // 4, memory(line)
    gradient, data, result = pointer(kind, dy), pointer(kind, x), pointer(kind, dx)
    inner = (dy_strides[2], x_strides[2], dx_strides[2])
    while end > rows[0]:
        count = min(RUN, end - rows[0], (end - 1) % inner_rows + 1)
        end -= count
        start, at = row_start(dy_strides, inner_rows, end, 0), row_start(x_strides, inner_rows, end, 0)
        places = (start, at, row_start(dx_strides, inner_rows, end, 0))
        _apply_rows(gradient, data, result, places, inner, count, channels, coefficients, width)
    keep(line)


@compile_cached
def gradient_apply_packed(kind, dy, x, dx, rows, line):
    """`gradient_apply_rows` of whole rows without gaps, from addresses on."""
    width, lines = line.size // 4, padded(line, 4)
    gradient, data, result, period = pointer(kind, dy), pointer(kind, x), pointer(kind, dx), lines.size // 4 - LANES
    _apply_flat(gradient, data, result, rows[0] * width, rows[1] * width, memory(lines), period)
    keep(lines)


@inlined
def backward_rows(kind, dy, x, dx, rows, copies, eps, scale, center, m2, d_scale, d_offset):
    """All of the backward pass of rows without gaps, for one thread; ``copies`` rows are taken as one. Returns as `backward_planes`."""
    width, wide, whole = center.size, center.size * copies, rows // copies
    sums, line = np.zeros(3 * width), np.zeros(4 * width, center.dtype)
    centers, folded, packed = np.zeros(wide, center.dtype), np.zeros(3 * wide), (ZERO, ZERO, wide, ZERO + 1, ZERO)
    unfold(center, width, centers)
    first, last, until = ZERO, whole, wide
    while until > 0:
        gradient_sums_rows(kind, dy, x, packed, packed, rows, (ZERO, until), (first, last), centers, folded)
        first, last, until = whole, whole + 1, (rows - whole * copies) * width if last == whole else 0
    for k in range(3):
        for place in range(0, wide, width):
            for c in range(width):
                sums[k * width + c] += folded[k * wide + place + c]
    if overflown(sums, (ZERO, width)):
        return True
    gradient_finish((ZERO, width), rows, eps, scale, center, m2, sums, line, d_scale, d_offset)
    gradient_apply_packed(kind, dy, x, dx, (ZERO, rows), line)
    return False
