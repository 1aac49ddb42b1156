"""Compiled backward pass: three sums per channel (dy, dy * d, d) with d = x - center, then one line in two variables.

The center is the mean as the forward pass returned it, rounded to its type; the sum of d says what the rounding took, so a large mean costs
the gradient nothing. ``line`` is four rows per channel, (center, slope, by_d, share): ``dx = ((dy - share) + (x - center) * by_d) * slope``, in this order
because a batch of one cancels exactly inside the brackets. The formula is that of `anybn.core.backward`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np

from anybn.kernels.addresses import memory, pointer, row_start
from anybn.kernels.compiled import compile_cached, inlined
from anybn.kernels.numba_planes import ALIGN_FROM, FETCH_FROM, GROUP, RUN, ZERO, ahead, flush
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
    to_wide,
)


@inlined
def _run_sums(dy, x, start, at, length, center, step, part, wide, slot, stride, alone):
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
    if alone:
        store(wide, slot, add(load(wide, slot), to_wide(g)))
        store(wide, slot + stride, add(load(wide, slot + stride), to_wide(p)))
        store(wide, slot + 2 * stride, add(load(wide, slot + 2 * stride), to_wide(m)))
    else:
        store(part, slot, g)
        store(part, slot + stride, p)
        store(part, slot + 2 * stride, m)


@inlined
def gradient_sums_exact(kind, dy, x, dy_strides, x_strides, inner_rows, length, channels, rows, center, sums):
    """`gradient_sums_planes` in float64 from the first number on: no value is too large, no stride odd; for data of any layout."""
    gradient, data, width = pointer(kind, dy), pointer(kind, x), center.size
    for r in range(rows[0], rows[1]):
        for c in range(channels[0], channels[1]):
            start, at = row_start(dy_strides, inner_rows, r, c), row_start(x_strides, inner_rows, r, c)
            g, p, m, k = 0.0, 0.0, 0.0, np.float64(center[c])
            for i in range(length):
                d = np.float64(load_one(data, at + i * x_strides[4])) - k
                e = np.float64(load_one(gradient, start + i * dy_strides[4]))
                g += e
                p += d * e
                m += d
            sums[c] += g
            sums[width + c] += p
            sums[2 * width + c] += m


@compile_cached
def gradient_sums_planes(kind, dy, x, dy_strides, x_strides, inner_rows, length, channels, rows, center, sums):
    """Add to ``sums`` (three rows of one number per channel) the sums of dy, dy * d and d over these rows of these channels.

    The numbers of a row are neighbours.
    """
    gradient, data, alone = pointer(kind, dy), pointer(kind, x), length > RUN
    fetch = length >= FETCH_FROM and dy_strides == x_strides
    every = max(1, RUN // (LANES * -(-length // LANES)))
    for first in range(channels[0], channels[1], GROUP):
        count = min(GROUP, channels[1] - first)
        stride = count * LANES
        part, wide = np.zeros(3 * stride, center.dtype), np.zeros(3 * stride)
        for r in range(rows[0], rows[1]):
            start, at = row_start(dy_strides, inner_rows, r, first), row_start(x_strides, inner_rows, r, first)
            for j in range(count):
                step = ahead(fetch, j + 1 < count, r + 1, rows[1], x_strides, inner_rows, first, at)
                for i in range(0, length, RUN):
                    n, k, work, total = min(RUN, length - i), center[first + j], memory(part), memory(wide)
                    _run_sums(gradient, data, start + i, at + i, n, k, step, work, total, j * LANES, stride, alone)
                start += dy_strides[3]
                at += x_strides[3]
            if not alone and ((r - rows[0] + 1) % every == 0 or r + 1 == rows[1]):
                flush(part, wide)
        for k in range(3):
            for i in range(stride):
                sums[k * center.size + first + i // LANES] += wide[k * stride + i]


@inlined
def overflown(sums, channels):
    """Whether a sum of these channels is not finite: float32 overflowed, or some number is not."""
    width = sums.size // 3
    for c in range(channels[0], channels[1]):
        if not np.isfinite(sums[c] + sums[width + c] + sums[2 * width + c]):
            return True
    return False


@inlined
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
    """Write dx of these rows of these channels, the last rows first. The numbers of a row are neighbours."""
    width = line.size // 4
    gradient, data, result = pointer(kind, dy), pointer(kind, x), pointer(kind, dx)
    for r in range(rows[1] - 1, rows[0] - 1, -1):
        start = row_start(dy_strides, inner_rows, r, channels[0])
        at = row_start(x_strides, inner_rows, r, channels[0])
        to = row_start(dx_strides, inner_rows, r, channels[0])
        for c in range(channels[0], channels[1]):
            k, a, b, g = line[c], line[width + c], line[2 * width + c], line[3 * width + c]
            _row_apply(gradient, data, result, start, at, to, length, k, a, b, g)
            start += dy_strides[3]
            at += x_strides[3]
            to += dx_strides[3]


@inlined
def gradient_apply_strided(
    kind, dy, x, dx, dy_strides, x_strides, dx_strides, inner_rows, length, channels, rows, line
):
    """`gradient_apply_planes` of data of any layout."""
    width = line.size // 4
    gradient, data, result = pointer(kind, dy), pointer(kind, x), pointer(kind, dx)
    for r in range(rows[0], rows[1]):
        for c in range(channels[0], channels[1]):
            start, at = row_start(dy_strides, inner_rows, r, c), row_start(x_strides, inner_rows, r, c)
            to = row_start(dx_strides, inner_rows, r, c)
            k, a, b, g = line[c], line[width + c], line[2 * width + c], line[3 * width + c]
            for i in range(length):
                d = load_one(data, at + i * x_strides[4]) - k
                value = (load_one(gradient, start + i * dy_strides[4]) - g + d * b) * a
                store_one(result, to + i * dx_strides[4], value)


@compile_cached
def gradient_finish(channels, count, eps, scale, center, m2, sums, line, d_scale, d_offset):
    """Set the gradients of the parameters and the line of dx of these channels; in short loops, which LLVM turns into vectors."""
    first, after, width, share = channels[0], channels[1], line.size // 4, 1.0 / count
    g, p, m = sums[first:after], sums[width + first : width + after], sums[2 * width + first : 2 * width + after]
    spread, centers, line_centers = m2[first:after], center[first:after], line[first:after]
    slope, by_d = line[width + first : width + after], line[2 * width + first : 2 * width + after]
    shares, scales = line[3 * width + first : 3 * width + after], d_scale[first:after]
    offsets, inverse, product = d_offset[first:after], np.zeros(after - first), np.zeros(after - first)
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


@inlined
def backward_planes(
    kind, dy, x, dx, dy_strides, x_strides, dx_strides, inner, length, channels, rows, tile,
    eps, scale, center, m2, line, d_scale, d_offset,
):  # fmt: skip
    """All of the backward pass for these channels, a tile at a time, so that dx is computed from what is still in the cache.

    Stops at the first tile with a number that is not finite, and returns whether it did.
    """
    sums, every = np.zeros(3 * center.size), (ZERO, rows)
    for first in range(channels[0], channels[1], tile):
        some = (first, min(first + tile, channels[1]))
        gradient_sums_planes(kind, dy, x, dy_strides, x_strides, inner, length, some, every, center, sums)
        if overflown(sums, some):
            return True
        gradient_finish(some, rows * length, eps, scale, center, m2, sums, line, d_scale, d_offset)
        gradient_apply_planes(kind, dy, x, dx, dy_strides, x_strides, dx_strides, inner, length, some, every, line)
    return False
