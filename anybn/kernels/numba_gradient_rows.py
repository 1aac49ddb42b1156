"""The backward loops over data whose innermost axis is the channel; see `anybn.kernels.numba_gradient`."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.addresses import memory, pointer
from anybn.kernels.compiled import compile_cached
from anybn.kernels.numba_gradient import gradient_finish, gradient_sums_exact, overflown
from anybn.kernels.numba_rows import BLOCK, FLAT, RUN, fold, padded, unfold
from anybn.kernels.simd import (
    LANES,
    add,
    blank_from,
    load,
    load_one,
    load_part,
    multiply,
    multiply_add,
    store,
    store_one,
    store_part,
    subtract,
    to_boundary,
    to_wide,
)

TOGETHER = 8  # two operands: more rows at a time are more streams than the processor looks ahead on


@compile_cached
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
def _sum_rows_strided(dy, x, start, at, inner, count, channels, step, center, work, width):
    for r in range(count):
        for c in range(channels[0], channels[1]):
            d = np.float64(load_one(x, at + r * inner[1] + c * step[1])) - load_one(center, c)
            e = np.float64(load_one(dy, start + r * inner[0] + c * step[0]))
            store_one(work, c, load_one(work, c) + e)
            store_one(work, width + c, load_one(work, width + c) + d * e)
            store_one(work, 2 * width + c, load_one(work, 2 * width + c) + d)


@compile_cached
def gradient_sums_rows(kind, dy, x, dy_strides, x_strides, inner_rows, channels, rows, center, sums):
    """Add to ``sums[0..2, c]`` the sums of dy, dy * d and d over these rows."""
    gradient, data, width = pointer(kind, dy), pointer(kind, x), center.size
    k, work = memory(center), memory(sums)
    for first in range(channels[0], channels[1], BLOCK):
        block = (first, min(first + BLOCK, channels[1]))
        r = rows[0]
        while r < rows[1]:
            column = r % inner_rows
            count = min(TOGETHER, rows[1] - r, inner_rows - column)
            start = dy_strides[0] + (r // inner_rows) * dy_strides[1] + column * dy_strides[2]
            at = x_strides[0] + (r // inner_rows) * x_strides[1] + column * x_strides[2]
            inner, step = (dy_strides[2], x_strides[2]), (dy_strides[3], x_strides[3])
            if step[0] == 1 and step[1] == 1:
                _sum_rows(gradient, data, start, at, inner[0], inner[1], count, block, k, work, width)
            else:
                _sum_rows_strided(gradient, data, start, at, inner, count, block, step, k, work, width)
            r += count


@compile_cached
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


@compile_cached
def _apply_flat(dy, x, dx, places, first, last, line, period):
    stride = period + LANES
    start, at, to = places
    while last > first:
        p = max(first, last - FLAT)
        c = p % period
        head = min(to_boundary(dx, to + p), last - p)
        if head > 0:
            d = subtract(load_part(x, at + p, head), load(line, c))
            e = subtract(load_part(dy, start + p, head), load(line, 3 * stride + c))
            store_part(
                dx, to + p, head, multiply(multiply_add(d, load(line, 2 * stride + c), e), load(line, stride + c))
            )
            p, c = p + head, (c + head) % period
        end, last = last, max(first, last - FLAT)
        while p + LANES <= end:
            d = subtract(load(x, at + p), load(line, c))
            e = subtract(load(dy, start + p), load(line, 3 * stride + c))
            store(dx, to + p, multiply(multiply_add(d, load(line, 2 * stride + c), e), load(line, stride + c)))
            p, c = p + LANES, c + LANES
            if c >= period:
                c -= period
        rest = end - p
        if rest > 0:
            d = subtract(load_part(x, at + p, rest), load(line, c))
            e = subtract(load_part(dy, start + p, rest), load(line, 3 * stride + c))
            store_part(
                dx, to + p, rest, multiply(multiply_add(d, load(line, 2 * stride + c), e), load(line, stride + c))
            )


@compile_cached
def _apply_rows_strided(dy, x, dx, places, inner, count, channels, step, line, width):
    for r in range(count):
        for c in range(channels[0], channels[1]):
            d = load_one(x, places[1] + r * inner[1] + c * step[1]) - load_one(line, c)
            e = load_one(dy, places[0] + r * inner[0] + c * step[0])
            value = e - load_one(line, 3 * width + c) + d * load_one(line, 2 * width + c)
            store_one(dx, places[2] + r * inner[2] + c * step[2], value * load_one(line, width + c))


@compile_cached
def gradient_apply_rows(kind, dy, x, dx, dy_strides, x_strides, dx_strides, inner_rows, channels, rows, line):
    """Write dx of these rows, the last rows first."""
    end, width = rows[1], line.size // 4
    gradient, data, result = pointer(kind, dy), pointer(kind, x), pointer(kind, dx)
    coefficients = memory(line)
    inner = (dy_strides[2], x_strides[2], dx_strides[2])
    step = (dy_strides[3], x_strides[3], dx_strides[3])
    if inner == (width, width, width) and step == (1, 1, 1) and channels[1] - channels[0] == width:
        if rows[1] <= inner_rows:
            lines, run = padded(line, 4), (rows[0] * width, rows[1] * width)
            starts = (dy_strides[0], x_strides[0], dx_strides[0])
            period = lines.shape[1] - LANES
            _apply_flat(gradient, data, result, starts, run[0], run[1], memory(lines[0]), period)
            return
    while end > rows[0]:
        last = (end - 1) % inner_rows + 1
        count = min(RUN, end - rows[0], last)
        r, column = (end - count) // inner_rows, last - count
        places = (
            dy_strides[0] + r * dy_strides[1] + column * inner[0],
            x_strides[0] + r * x_strides[1] + column * inner[1],
            dx_strides[0] + r * dx_strides[1] + column * inner[2],
        )
        if step[0] == 1 and step[1] == 1 and step[2] == 1:
            _apply_rows(gradient, data, result, places, inner, count, channels, coefficients, width)
        else:
            _apply_rows_strided(gradient, data, result, places, inner, count, channels, step, coefficients, width)
        end -= count


@compile_cached
def backward_rows(
    kind, dy, x, dx, dy_strides, x_strides, dx_strides, inner, rows, copies, eps, scale, center, m2, d_scale, d_offset
):
    """All of the backward pass in one call, for one thread; ``copies`` packed rows are taken as one."""
    width, a, b = center.size, dy_strides[:4], x_strides[:4]
    sums, line = np.zeros((3, width)), np.empty(4 * width, center.dtype)
    if copies == 1:
        gradient_sums_rows(kind, dy, x, a, b, inner, (0, width), (0, rows), center, sums)
    else:
        wide, whole = width * copies, rows // copies
        centers, folded = np.empty(wide, center.dtype), np.zeros((3, wide))
        unfold(center, width, centers)
        packed_dy, packed_x = (a[0], 0, wide, 1), (b[0], 0, wide, 1)
        rest = (rows - whole * copies) * width
        gradient_sums_rows(kind, dy, x, packed_dy, packed_x, rows, (0, wide), (0, whole), centers, folded)
        gradient_sums_rows(kind, dy, x, packed_dy, packed_x, rows, (0, rest), (whole, whole + 1), centers, folded)
        for k in range(3):
            fold(folded[k], sums[k])
    for c in range(width):
        if overflown(sums, c):
            sums[:, c] = 0.0
            gradient_sums_exact(kind, dy, x, dy_strides, x_strides, inner, 1, c, rows, center, sums)
    gradient_finish((0, width), rows, eps, scale, center, m2, sums, line, d_scale, d_offset)
    gradient_apply_rows(kind, dy, x, dx, a, b, dx_strides[:4], inner, (0, width), (0, rows), line)
