"""Whole calls in one go, all operands as addresses: what a `anybn.kernels.base.Lane` runs.

Handing an array to compiled code costs as much as normalising a small one, so everything comes as a number. ``walk`` is the address
of integers made by `anybn.kernels.walks`; an address of 0 stands for what is not there. With ``hop`` set, the addresses are those of NumPy's array
objects, which hold their data's address ``hop`` bytes from their beginning.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np
from numpy.typing import NDArray

from anybn.kernels.addresses import data_of, five, pointer, vector
from anybn.kernels.compiled import compile_cached, inlined
from anybn.kernels.numba_finish import DONE, forward_planes, forward_rows, line_of_statistics
from anybn.kernels.numba_gradient import backward_planes
from anybn.kernels.numba_gradient_rows import backward_rows
from anybn.kernels.numba_planes import ZERO, apply_planes
from anybn.kernels.numba_rows import apply_packed

WORDS: NDArray[np.int64] = np.empty(0, np.int64)
HOP = object.__basicsize__
"""Where a NumPy array object holds its data's address: the first thing behind what every object has (its C interface does not change)."""

HEAD = 6  # planes, inner, length, rows, copies, tile; then 5 strides (start, outer, inner, channel, element) of each operand


@inlined
def _room(kind, address, size):
    """Return what lies at the address, or room for what nobody wants."""
    found = vector(kind, address, size)
    return np.zeros(size, found.dtype) if address == 0 else found


@inlined
def _move(
    kind, hop, channels, some, until, count, mean, m2,
    old_mean, old_var, new_mean, new_var, mean_weight, var_weight, correction,
):  # fmt: skip
    """Move mean and variance, if there are any, in the same steps and roundings as `anybn.core.running`."""
    if new_mean != 0:
        means, new_means = (
            vector(kind, data_of(old_mean, hop), channels),
            vector(kind, data_of(new_mean, hop), channels),
        )
        vars_, new_vars = vector(kind, data_of(old_var, hop), channels), vector(kind, data_of(new_var, hop), channels)
        one = mean.dtype.type
        n, factor, kept, keep = one(count), one(correction), one(1.0 - mean_weight), one(1.0 - var_weight)
        for c in range(some, until):
            batch = mean[c]
            if mean_weight == 0.0:
                new_means[c] = means[c]
            else:
                new_means[c] = batch if mean_weight == 1.0 else means[c] * kept + batch * one(mean_weight)
            batch = m2[c] / n * factor
            if var_weight == 0.0:
                new_vars[c] = vars_[c]
            else:
                new_vars[c] = batch if var_weight == 1.0 else vars_[c] * keep + batch * one(var_weight)


@compile_cached
def learn(
    kind, hop, channels, count, mean, m2,
    old_mean, old_var, new_mean, new_var, mean_weight, var_weight, correction,
):  # fmt: skip
    """Move the running statistics of all channels, where there are any."""
    _move(
        kind, hop, channels, 0, channels, count, mean, m2,
        old_mean, old_var, new_mean, new_var, mean_weight, var_weight, correction,
    )  # fmt: skip


@compile_cached
def train_planes(
    kind, walk, hop, x, y, channels, some, until, scale, offset, eps, moments,
    old_mean, old_var, new_mean, new_var, mean_weight, var_weight, correction,
):  # fmt: skip
    """Normalise the channels from ``some`` to ``until`` and move their statistics; mean and m2 go to ``moments``.

    ``moments`` is the address of a NumPy array object of ``2 * channels`` numbers, or 0. Returns 0, or what is wrong with some number
    (see `anybn.kernels.numba_finish`): then nothing of the result is good.
    """
    words, both = pointer(WORDS, walk), _room(kind, data_of(moments, HOP), 2 * channels)
    a, b, inner, length, rows = five(words, HEAD), five(words, HEAD + 5), words[1], words[2], words[3]
    scales, offsets = vector(kind, data_of(scale, hop), channels), vector(kind, data_of(offset, hop), channels)
    mean, m2, line = both[:channels], both[channels:], np.zeros(3 * channels, both.dtype)
    found = forward_planes(
        kind, data_of(x, hop), data_of(y, hop), a, b, inner, length, (some, until), rows, words[5],
        eps, scales, offsets, line, mean, m2,
    )  # fmt: skip
    if found == DONE:
        _move(
            kind, hop, channels, some, until, rows * length, mean, m2,
            old_mean, old_var, new_mean, new_var, mean_weight, var_weight, correction,
        )  # fmt: skip
    return found


@compile_cached
def train_rows(
    kind, walk, hop, x, y, channels, some, until, scale, offset, eps, moments,
    old_mean, old_var, new_mean, new_var, mean_weight, var_weight, correction,
):  # fmt: skip
    """`train_planes` of rows without gaps, all channels at once (or none)."""
    words, both = pointer(WORDS, walk), _room(kind, data_of(moments, HOP), 2 * channels)
    scales, offsets = vector(kind, data_of(scale, hop), channels), vector(kind, data_of(offset, hop), channels)
    mean, m2, rows, found = both[:channels], both[channels:], words[3], DONE
    if until > some:
        found = forward_rows(
            kind,
            data_of(x, hop),
            data_of(y, hop),
            five(words, HEAD),
            words[2],
            rows,
            words[4],
            eps,
            scales,
            offsets,
            mean,
            m2,
        )
    if found == DONE:
        _move(
            kind, hop, channels, some, until, rows, mean, m2,
            old_mean, old_var, new_mean, new_var, mean_weight, var_weight, correction,
        )  # fmt: skip
    return found


@inlined
def _given(kind, hop, channels, scale, offset, eps, mean, var):
    scales, offsets = vector(kind, data_of(scale, hop), channels), vector(kind, data_of(offset, hop), channels)
    means, spread = vector(kind, data_of(mean, hop), channels), vector(kind, data_of(var, hop), channels)
    line = np.zeros(3 * channels, means.dtype)
    line_of_statistics(eps, means, spread, scales, offsets, line)
    return line


@compile_cached
def evaluate_planes(kind, walk, hop, x, y, channels, some, until, scale, offset, eps, mean, var):
    """Write y of the channels from ``some`` to ``until`` by given statistics; return 0."""
    words, line = pointer(WORDS, walk), _given(kind, hop, channels, scale, offset, eps, mean, var)
    a, b, channel, rows = five(words, HEAD), five(words, HEAD + 5), (some, until), (ZERO, words[3])
    apply_planes(kind, data_of(x, hop), data_of(y, hop), a, b, words[1], words[2], channel, rows, line)
    return DONE


@compile_cached
def evaluate_rows(kind, walk, hop, x, y, channels, some, until, scale, offset, eps, mean, var):
    """`evaluate_planes` of rows without gaps, all channels at once (or none)."""
    words, line = pointer(WORDS, walk), _given(kind, hop, channels, scale, offset, eps, mean, var)
    if until > some:
        apply_packed(kind, data_of(x, hop), data_of(y, hop), (ZERO, words[3]), line)
    return DONE


@compile_cached
def back_planes(kind, walk, dy, x, dx, channels, some, until, scale, eps, moments, d_scale, d_offset):
    """Write the gradients of `train_planes` for the channels from ``some`` to ``until``; return whether some number is not finite."""
    words, scales = pointer(WORDS, walk), vector(kind, scale, channels)
    both, line = vector(kind, data_of(moments, HOP), 2 * channels), np.zeros(4 * channels, scales.dtype)
    d_scales, d_offsets = _room(kind, d_scale, channels), _room(kind, d_offset, channels)
    return backward_planes(
        kind, dy, x, dx, five(words, HEAD), five(words, HEAD + 5), five(words, HEAD + 10), words[1], words[2],
        (some, until), words[3], words[5], eps, scales, both[:channels], both[channels:], line, d_scales, d_offsets,
    )  # fmt: skip


@compile_cached
def back_rows(kind, walk, dy, x, dx, channels, some, until, scale, eps, moments, d_scale, d_offset):
    """`back_planes` of rows without gaps, all channels at once (or none)."""
    words, scales, both = (
        pointer(WORDS, walk),
        vector(kind, scale, channels),
        vector(kind, data_of(moments, HOP), 2 * channels),
    )
    d_scales, d_offsets, found = _room(kind, d_scale, channels), _room(kind, d_offset, channels), False
    if until > some:
        found = backward_rows(
            kind, dy, x, dx, words[3], words[4], eps, scales, both[:channels], both[channels:], d_scales, d_offsets
        )
    return found


TRAIN, EVALUATE, BACK = (train_rows, train_planes), (evaluate_rows, evaluate_planes), (back_rows, back_planes)
"""By whether the innermost axis is reduced (`anybn.kernels.walks.Walk.planes`)."""
