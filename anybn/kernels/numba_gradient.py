"""Compiled backward pass: three sums per channel (dy, dy * d, d) with d = x - center, then one line in two variables.

The center is the mean as the forward pass returned it, rounded to its type; the sum of d says what the rounding took, so a large mean costs
the gradient nothing. ``line`` is four rows per channel, (center, slope, by_d, share): ``dx = ((dy - share) + (x - center) * by_d) * slope``, in this order
because a batch of one cancels exactly inside the brackets. The formula is that of `anybn.core.backward`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.compiled import compile_cached
from anybn.kernels.numba_planes import ALIGN_FROM, FETCH_FROM, row_start
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
    multiply,
    multiply_add,
    pointer,
    store,
    store_one,
    store_part,
    subtract,
    to_boundary,
    to_wide,
)


@compile_cached
def _row_sums(dy, x, start, at, length, center, step, work, slot, stride):
    g, p, m, k = load(work, slot), load(work, slot + stride), load(work, slot + 2 * stride), everywhere(center)
    i = 0
    while i < length - (LANES - 1):
        if step != 0:
            fetch_ahead(x, at + i + step)
            fetch_ahead(dy, start + i + step)
        d, e = subtract(to_wide(load(x, at + i)), k), to_wide(load(dy, start + i))
        g, p, m = add(g, e), multiply_add(d, e, p), add(m, d)
        i += LANES
    rest = length - i
    if rest > 0:
        d = blank_from(subtract(to_wide(load_part(x, at + i, rest)), k), rest)
        e = to_wide(load_part(dy, start + i, rest))
        g, p, m = add(g, e), multiply_add(d, e, p), add(m, d)
    store(work, slot, g)
    store(work, slot + stride, p)
    store(work, slot + 2 * stride, m)


@compile_cached
def _row_sums_strided(dy, x, start, at, length, dy_step, x_step, center, work, slot, stride):
    g = p = m = 0.0
    for i in range(length):
        d, e = np.float64(load_one(x, at + i * x_step)) - center, np.float64(load_one(dy, start + i * dy_step))
        g += e
        p += d * e
        m += d
    store_one(work, slot, load_one(work, slot) + g)
    store_one(work, slot + stride, load_one(work, slot + stride) + p)
    store_one(work, slot + 2 * stride, load_one(work, slot + 2 * stride) + m)


@compile_cached
def gradient_sums_planes(kind, dy, x, dy_strides, x_strides, inner_rows, length, channels, rows, center, sums):
    """Add to ``sums[0..2, c]`` the sums of dy, dy * d and d over these rows of these channels."""
    count = channels[1] - channels[0]
    stride = count * LANES
    lanes = np.zeros(3 * stride)
    gradient, data, work = pointer(kind, dy), pointer(kind, x), memory(lanes)
    fetch = length >= FETCH_FROM and dy_strides == x_strides
    for r in range(rows[0], rows[1]):
        start = row_start(dy_strides, inner_rows, r, channels[0])
        at = row_start(x_strides, inner_rows, r, channels[0])
        for j in range(count):
            c, slot = channels[0] + j, j * LANES
            if x_strides[4] == 1 and dy_strides[4] == 1:
                step = 0
                if fetch and j + 1 < count:
                    step = x_strides[3]
                elif fetch and r + 1 < rows[1]:
                    step = row_start(x_strides, inner_rows, r + 1, channels[0]) - at
                _row_sums(gradient, data, start, at, length, np.float64(center[c]), step, work, slot, stride)
            else:
                steps = dy_strides[4], x_strides[4]
                _row_sums_strided(
                    gradient, data, start, at, length, steps[0], steps[1], np.float64(center[c]), work, slot, stride
                )
            start += dy_strides[3]
            at += x_strides[3]
    for k in range(3):
        for j in range(count):
            sums[k, channels[0] + j] += lanes[k * stride + j * LANES : k * stride + (j + 1) * LANES].sum()


@compile_cached
def _row_apply(dy, x, dx, start, at, to, length, center, slope, by_d, share):
    k, a, b, g = everywhere(center), everywhere(slope), everywhere(by_d), everywhere(share)
    i = 0
    if length >= ALIGN_FROM:
        i = to_boundary(dx, to)
        e = subtract(load_part(dy, start, i), g)
        store_part(dx, to, i, multiply(multiply_add(subtract(load_part(x, at, i), k), b, e), a))
    while i < length - (LANES - 1):
        d = subtract(load(x, at + i), k)
        store(dx, to + i, multiply(multiply_add(d, b, subtract(load(dy, start + i), g)), a))
        i += LANES
    rest = length - i
    if rest > 0:
        d = subtract(load_part(x, at + i, rest), k)
        e = subtract(load_part(dy, start + i, rest), g)
        store_part(dx, to + i, rest, multiply(multiply_add(d, b, e), a))


@compile_cached
def gradient_apply_planes(kind, dy, x, dx, dy_strides, x_strides, dx_strides, inner_rows, length, channels, rows, line):
    """Write dx of these rows of these channels, the last rows first."""
    width = line.size // 4
    gradient, data, result = pointer(kind, dy), pointer(kind, x), pointer(kind, dx)
    together = dy_strides[4] == 1 and x_strides[4] == 1 and dx_strides[4] == 1
    for r in range(rows[1] - 1, rows[0] - 1, -1):
        start = row_start(dy_strides, inner_rows, r, channels[0])
        at = row_start(x_strides, inner_rows, r, channels[0])
        to = row_start(dx_strides, inner_rows, r, channels[0])
        for c in range(channels[0], channels[1]):
            k, a, b, g = line[c], line[width + c], line[2 * width + c], line[3 * width + c]
            if together:
                _row_apply(gradient, data, result, start, at, to, length, k, a, b, g)
            else:
                for i in range(length):
                    d = load_one(data, at + i * x_strides[4]) - k
                    value = (load_one(gradient, start + i * dy_strides[4]) - g + d * b) * a
                    store_one(result, to + i * dx_strides[4], value)
            start += dy_strides[3]
            at += x_strides[3]
            to += dx_strides[3]


@compile_cached
def gradient_finish(channels, count, eps, scale, center, m2, sums, line, d_scale, d_offset):
    """Set the gradients of the parameters and the line of dx of these channels."""
    width = line.size // 4
    for c in range(channels[0], channels[1]):
        move = sums[2, c] / count
        product = sums[1, c] - move * sums[0, c]
        inverse = 1.0 / np.sqrt(np.float64(m2[c]) / count + eps)
        by_d = -inverse * inverse * product / count
        d_scale[c], d_offset[c] = product * inverse, sums[0, c]
        line[c], line[width + c] = center[c], (scale[c] if scale.size else 1.0) * inverse
        line[2 * width + c], line[3 * width + c] = by_d, sums[0, c] / count + by_d * move


@compile_cached
def backward_planes(
    kind, dy, x, dx, dy_strides, x_strides, dx_strides, inner, length, channels, rows, tile,
    eps, scale, center, m2, line, d_scale, d_offset,
):  # fmt: skip
    """All of the backward pass for these channels, a tile at a time, so that dx is computed from what is still in the cache."""
    sums = np.zeros((3, center.size))
    for first in range(channels[0], channels[1], tile):
        some = (first, min(first + tile, channels[1]))
        gradient_sums_planes(kind, dy, x, dy_strides, x_strides, inner, length, some, (0, rows), center, sums)
        gradient_finish(some, rows * length, eps, scale, center, m2, sums, line, d_scale, d_offset)
        gradient_apply_planes(kind, dy, x, dx, dy_strides, x_strides, dx_strides, inner, length, some, (0, rows), line)
