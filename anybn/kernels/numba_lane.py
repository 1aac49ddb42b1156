"""Whole calls in one go, all operands as addresses: what a `anybn.kernels.base.Lane` runs.

Handing an array to compiled code costs as much as normalising a small one, so everything comes as a number. ``walk`` is the address
of integers made by `anybn.kernels.walks`; an address of 0 stands for what is not there. With ``hop`` set, the addresses are those of NumPy's array
objects, which hold their data's address ``hop`` bytes from their beginning.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types.

import numpy as np
from numba import carray
from numpy.typing import NDArray

from anybn.kernels.addresses import pointer, pointer_computed
from anybn.kernels.compiled import compile_cached
from anybn.kernels.numba_finish import forward_planes, forward_rows, line_of_statistics
from anybn.kernels.numba_gradient import backward_planes
from anybn.kernels.numba_gradient_rows import backward_rows
from anybn.kernels.numba_planes import apply_planes
from anybn.kernels.numba_rows import apply_rows

WORDS: NDArray[np.int64] = np.empty(0, np.int64)
HOP = object.__basicsize__
"""Where a NumPy array object holds its data's address: the first thing behind what every object has (its C interface does not change)."""

HEAD = 6  # planes, inner, length, rows, copies, tile; then 5 strides (start, outer, inner, channel, element) of each operand


@compile_cached
def data_of(address, hop):
    """Return where the data are; 0 stays 0."""
    if hop == 0 or address == 0:
        return address
    return carray(pointer(WORDS, address + hop), 1)[0]


@compile_cached
def _strides(words, operand):
    at = HEAD + 5 * operand
    return words[at], words[at + 1], words[at + 2], words[at + 3], words[at + 4]


@compile_cached
def _vector(kind, address, size):
    return carray(pointer_computed(kind, address), size if address != 0 else 0)


@compile_cached
def _learn(count, mean, m2, old, new, weight, correction):
    """Move the mean (correction 0) or the variance, in the same steps and roundings as `anybn.core.running`."""
    one = mean.dtype.type
    keep, take, n, factor = one(1.0 - weight), one(weight), one(count), one(correction)
    for c in range(mean.size):
        batch = mean[c] if correction == 0.0 else m2[c] / n * factor
        new[c] = old[c] if weight == 0.0 else batch if weight == 1.0 else old[c] * keep + batch * take


@compile_cached
def _move(
    kind, hop, channels, some, until, count, mean, m2,
    old_mean, old_var, new_mean, new_var, mean_weight, var_weight, correction,
):  # fmt: skip
    if new_mean == 0:
        return
    old, new = _vector(kind, data_of(old_mean, hop), channels), _vector(kind, data_of(new_mean, hop), channels)
    _learn(count, mean[some:until], m2[some:until], old[some:until], new[some:until], mean_weight, 0.0)
    old, new = _vector(kind, data_of(old_var, hop), channels), _vector(kind, data_of(new_var, hop), channels)
    _learn(count, mean[some:until], m2[some:until], old[some:until], new[some:until], var_weight, correction)


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
def train(
    kind, walk, hop, x, y, channels, some, until, scale, offset, eps, moments,
    old_mean, old_var, new_mean, new_var, mean_weight, var_weight, correction,
):  # fmt: skip
    """Normalise the channels from ``some`` to ``until`` and move their statistics; mean and m2 go to ``moments``.

    ``moments`` is the address of a NumPy array object of ``2 * channels`` numbers, or 0. Data whose innermost axis is the channel are
    only done whole.
    """
    words = carray(pointer(WORDS, walk), HEAD + 10)
    a, b = _strides(words, 0), _strides(words, 1)
    x, y = data_of(x, hop), data_of(y, hop)
    scales, offsets = _vector(kind, data_of(scale, hop), channels), _vector(kind, data_of(offset, hop), channels)
    both = _vector(kind, data_of(moments, HOP), 2 * channels)
    if moments == 0:
        both = np.empty(2 * channels, both.dtype)
    mean, m2 = both[:channels], both[channels:]
    inner, length, rows = words[1], words[2], words[3]
    if words[0]:
        line = np.empty(3 * channels, both.dtype)
        forward_planes(
            kind, x, y, a, b, inner, length, (some, until), rows, words[5], eps, scales, offsets, line, mean, m2
        )
    else:
        forward_rows(kind, x, y, a, b[:4], inner, rows, words[4], eps, scales, offsets, mean, m2)
    _move(
        kind, hop, channels, some, until, rows * length, mean, m2,
        old_mean, old_var, new_mean, new_var, mean_weight, var_weight, correction,
    )  # fmt: skip


@compile_cached
def evaluate(kind, walk, hop, x, y, channels, some, until, scale, offset, eps, mean, var):
    """Write y of the channels from ``some`` to ``until`` by given statistics."""
    words = carray(pointer(WORDS, walk), HEAD + 10)
    a, b = _strides(words, 0), _strides(words, 1)
    scales, offsets = _vector(kind, data_of(scale, hop), channels), _vector(kind, data_of(offset, hop), channels)
    means, spread = _vector(kind, data_of(mean, hop), channels), _vector(kind, data_of(var, hop), channels)
    line = np.empty(3 * channels, means.dtype)
    line_of_statistics(eps, means, spread, scales, offsets, line)
    x, y = data_of(x, hop), data_of(y, hop)
    if words[0]:
        apply_planes(kind, x, y, a, b, words[1], words[2], (some, until), (0, words[3]), line)
    else:
        apply_rows(kind, x, y, a[:4], b[:4], words[1], (some, until), (0, words[3]), line)


@compile_cached
def back(kind, walk, dy, x, dx, channels, some, until, scale, eps, moments, d_scale, d_offset):
    """Write the gradients of `train` for the channels from ``some`` to ``until``."""
    words = carray(pointer(WORDS, walk), HEAD + 15)
    a, b, c = _strides(words, 0), _strides(words, 1), _strides(words, 2)
    both, scales = _vector(kind, data_of(moments, HOP), 2 * channels), _vector(kind, scale, channels)
    mean, m2 = both[:channels], both[channels:]
    d_scales, d_offsets = (
        np.empty(channels, both.dtype),
        np.empty(channels, both.dtype),
    )  # for who has no such parameter
    if d_scale != 0:
        d_scales = _vector(kind, d_scale, channels)
    if d_offset != 0:
        d_offsets = _vector(kind, d_offset, channels)
    if words[0]:
        line = np.empty(4 * channels, both.dtype)
        backward_planes(
            kind, dy, x, dx, a, b, c, words[1], words[2], (some, until), words[3], words[5],
            eps, scales, mean, m2, line, d_scales, d_offsets,
        )  # fmt: skip
    else:
        backward_rows(
            kind, dy, x, dx, a, b, c, words[1], words[3], words[4], eps, scales, mean, m2, d_scales, d_offsets
        )
