"""Compiled backward pass: three sums per channel (dy, dy * d, d) with d = x - center, then one line in two variables.

The center is the mean as the forward pass returned it, rounded to its type; the sum of d says what the rounding took, so a large mean costs
the gradient nothing. ``line`` is four rows per channel, (center, slope, by_d, share): ``dx = ((dy - share) + (x - center) * by_d) * slope``, in this order
because a batch of one cancels exactly inside the brackets. The formula is that of `anybn.core.backward`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.addresses import memory, pointer
from anybn.kernels.compiled import compile_cached
from anybn.kernels.numba_planes import ALIGN_FROM, FETCH_FROM, GROUP, RUN, flush, row_start
from anybn.kernels.simd import (
    LANES,
    add,
    blank_from,
    everywhere,
    fetch_ahead,
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
)


@compile_cached
def _run_sums(dy, x, start, at, length, center, step, part, slot, stride):
    g, p, m, k = load(part, slot), load(part, slot + stride), load(part, slot + 2 * stride), everywhere(center)
    i = 0
    while i < length - (LANES - 1):
        if step != 0:
            fetch_ahead(x, at + i + step)
            fetch_ahead(dy, start + i + step)
        d, e = subtract(load(x, at + i), k), load(dy, start + i)
        g, p, m = add(g, e), multiply_add(d, e, p), add(m, d)
        i += LANES
    rest = length - i
    if rest > 0:
        d = blank_from(subtract(load_part(x, at + i, rest), k), rest)
        e = load_part(dy, start + i, rest)
        g, p, m = add(g, e), multiply_add(d, e, p), add(m, d)
    store(part, slot, g)
    store(part, slot + stride, p)
    store(part, slot + 2 * stride, m)


@compile_cached
def _row_sums_exact(dy, x, start, at, length, dy_step, x_step, center, wide, slot, stride):
    g = p = m = 0.0
    for i in range(length):
        d, e = np.float64(load_one(x, at + i * x_step)) - center, np.float64(load_one(dy, start + i * dy_step))
        g += e
        p += d * e
        m += d
    wide[slot] += g
    wide[slot + stride] += p
    wide[slot + 2 * stride] += m


@compile_cached
def gradient_sums_planes(kind, dy, x, dy_strides, x_strides, inner_rows, length, channels, rows, center, sums):
    """Add to ``sums[0..2, c]`` the sums of dy, dy * d and d over these rows of these channels."""
    for first in range(channels[0], channels[1], GROUP):
        some = (first, min(first + GROUP, channels[1]))
        _sums_group(kind, dy, x, dy_strides, x_strides, inner_rows, length, some, rows, center, sums)


@compile_cached
def _sums_group(kind, dy, x, dy_strides, x_strides, inner_rows, length, channels, rows, center, sums):
    count = channels[1] - channels[0]
    stride = count * LANES
    part, wide = np.zeros(3 * stride, center.dtype), np.zeros(3 * stride)
    gradient, data, work = pointer(kind, dy), pointer(kind, x), memory(part)
    fetch = length >= FETCH_FROM and dy_strides == x_strides
    every = max(1, RUN // (LANES * -(-length // LANES)))
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
                for i in range(0, length, RUN):
                    n = min(RUN, length - i)
                    _run_sums(gradient, data, start + i, at + i, n, center[c], step, work, slot, stride)
                    if length > RUN:
                        for k in range(3):
                            flush(part, wide, k * stride + slot, k * stride + slot + LANES)
            else:
                steps, shift = (dy_strides[4], x_strides[4]), np.float64(center[c])
                _row_sums_exact(gradient, data, start, at, length, steps[0], steps[1], shift, wide, slot, stride)
            start += dy_strides[3]
            at += x_strides[3]
        if length <= RUN and (r - rows[0] + 1) % every == 0:
            flush(part, wide, 0, 3 * stride)
    flush(part, wide, 0, 3 * stride)
    for k in range(3):
        for j in range(count):
            sums[k, channels[0] + j] += wide[k * stride + j * LANES : k * stride + (j + 1) * LANES].sum()


@compile_cached
def gradient_sums_exact(kind, dy, x, dy_strides, x_strides, inner_rows, length, channel, rows, center, sums):
    """Add to ``sums`` of one channel, in float64 from the first number on: no value is too large, no stride odd."""
    gradient, data, wide = pointer(kind, dy), pointer(kind, x), np.zeros(3)
    for r in range(rows):
        start = row_start(dy_strides, inner_rows, r, channel)
        at = row_start(x_strides, inner_rows, r, channel)
        steps = dy_strides[4], x_strides[4]
        _row_sums_exact(gradient, data, start, at, length, steps[0], steps[1], np.float64(center[channel]), wide, 0, 1)
    for k in range(3):
        sums[k, channel] += wide[k]


@compile_cached
def overflown(sums, channel):
    """Whether a sum of this channel is not finite: float32 overflowed, or some number is not."""
    return not np.isfinite(sums[0, channel] + sums[1, channel] + sums[2, channel])


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
    """Set the gradients of the parameters and the line of dx of these channels; in short loops, which LLVM turns into vectors."""
    first, after, width, share = channels[0], channels[1], line.size // 4, 1.0 / count
    g, p, m = sums[0, first:after], sums[1, first:after], sums[2, first:after]
    spread, centers, line_centers = m2[first:after], center[first:after], line[first:after]
    slope, by_d = line[width + first : width + after], line[2 * width + first : 2 * width + after]
    shares, scales = line[3 * width + first : 3 * width + after], d_scale[first:after]
    offsets, inverse, product = d_offset[first:after], np.empty(after - first), np.empty(after - first)
    for j in range(g.size):
        inverse[j] = 1.0 / np.sqrt(np.float64(spread[j]) * share + eps)
    for j in range(g.size):
        product[j] = (p[j] - m[j] * share * g[j]) * inverse[j]
    for j in range(g.size):
        scales[j], offsets[j], line_centers[j], slope[j] = product[j], g[j], centers[j], inverse[j]
    for j in range(g.size):
        product[j] *= -inverse[j] * share
        by_d[j] = product[j]
        shares[j] = (g[j] + product[j] * m[j]) * share
    if scale.size:
        given = scale[first:after]
        for j in range(g.size):
            slope[j] = given[j] * inverse[j]


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
        for c in range(some[0], some[1]):
            if overflown(sums, c):
                sums[:, c] = 0.0
                gradient_sums_exact(kind, dy, x, dy_strides, x_strides, inner, length, c, rows, center, sums)
        gradient_finish(some, rows * length, eps, scale, center, m2, sums, line, d_scale, d_offset)
        gradient_apply_planes(kind, dy, x, dx, dy_strides, x_strides, dx_strides, inner, length, some, (0, rows), line)
