"""Training forward in place and block by block, for dense arrays in memory: a fraction of the plain formula's time.

The maths is that of `anybn.core.moments`, with two liberties that cost no digit:

- Sums are products with a vector of ones (BLAS adds in many accumulators at once) over blocks that fit the cache; the
  blocks' sums are added up in float64.
- The second centring is a pass of its own only where the first one left more than a thirtieth of a standard deviation
  (large means, constants). Else the little rest is taken out of the float64 sums, and out of y by way of the offset.

An array of (outer, channels, inner) is cut in one of two ways: into planes, whose rows belong to one channel each, or,
where inner is small, into rows that hold all channels (several times, if they are few).
"""

from collections.abc import Iterator
from typing import NamedTuple

from anybn._typing import Array, Namespace
from anybn.state import Params

_BLOCK = 1 << 17  # values: 512 KiB of float32, which a core's own cache holds
_CHUNK = 1024  # float32 is not asked to add up more values than this at once
_LONG = 64  # an inner size from which a plane per channel is worth a call of BLAS
_WIDE = 512  # rows narrower than this are laid side by side
_REST = 0.001  # squared: what the first centring may leave, in variances


class _Cut(NamedTuple):
    """A (rows, columns) view of (outer, channels, inner), and how it was made.

    Along its rows (``planes``) or its columns lie (any, channels, inner) sums.
    """

    rows: int
    columns: int
    planes: bool
    channels: int
    inner: int
    step: int

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Yield the blocks, (rows, columns)."""
        width = _CHUNK if self.planes else self.columns
        for start in range(0, self.rows, self.step):
            for left in range(0, self.columns, width):
                yield slice(start, start + self.step), slice(left, left + width)


class Statistics(NamedTuple):
    """Per channel, float64."""

    mean: Array
    m2: Array


def forward(xp: Namespace, x: Array, out: Array, params: Params, eps: float) -> Statistics | None:
    """Write the normalised x into ``out`` and return the statistics; None if a sum overflowed (``out`` is then rubbish).

    Parameters
    ----------
    xp : namespace
        NumPy's; its ``out=`` arguments are used.
    x, out : array of shape (outer, channels, inner), C-contiguous, float32 or float64
        They may be the same array.
    params : Params of arrays of shape (channels,), in x's dtype
    eps : float
    """
    cut = _cut(*x.shape)
    x, out = (xp.reshape(one, (cut.rows, cut.columns)) for one in (x, out))
    count = x.size // cut.channels
    total = xp.zeros(cut.rows if cut.planes else cut.columns, dtype=xp.float64)
    ones = xp.ones(min(cut.columns, _CHUNK) if cut.planes else cut.step, dtype=x.dtype)
    for block in cut.blocks():
        _add(xp, total, x[block], ones, cut, block[0])
    mean = xp.astype(_per_channel(xp, total, cut) / count, x.dtype)
    rest, m2 = _subtract(xp, x, mean, out, ones, cut, count)
    mean = mean + rest
    if not bool(xp.all(xp.isfinite(m2))):
        return None
    if bool(xp.any(rest * rest * count > _REST * m2)):
        again = xp.astype(rest, x.dtype)
        mean = mean - rest + again
        rest, m2 = _subtract(xp, out, again, out, ones, cut, count)
        mean = mean + rest
    m2 = m2 - rest * rest * count
    _scale(xp, out, rest, m2 / count, params, eps, cut)
    return Statistics(mean, m2)


def _subtract(
    xp: Namespace, x: Array, mean: Array, out: Array, ones: Array, cut: _Cut, count: int
) -> tuple[Array, Array]:
    """Write ``x - mean`` into out; return, per channel, the mean that is left and the sum of squares."""
    spread = _spread(xp, mean, cut)
    total, squares = xp.zeros((2, cut.rows if cut.planes else cut.columns), dtype=xp.float64)
    for block in cut.blocks():
        d = xp.subtract(x[block], spread[block[0]] if cut.planes else spread, out=out[block])
        _add(xp, total, d, ones, cut, block[0])
        if cut.planes:
            squares[block[0]] += xp.vecdot(d, d)
        else:
            squares += xp.matmul(ones[: d.shape[0]], d * d)
    return _per_channel(xp, total, cut) / count, _per_channel(xp, squares, cut)


def _scale(xp: Namespace, out: Array, rest: Array, var: Array, params: Params, eps: float, cut: _Cut) -> None:
    """Turn ``out``, which holds d, into ``(d - rest) / sqrt(var + eps) * scale + offset``."""
    scale, offset = params
    factor = 1.0 / xp.sqrt(var + eps)
    factor = factor if scale is None else factor * scale
    shift = -rest * factor if offset is None else offset - rest * factor
    factor, shift = (_spread(xp, xp.astype(one, out.dtype), cut) for one in (factor, shift))
    for block in cut.blocks():
        y = out[block]
        y *= factor[block[0]] if cut.planes else factor
        y += shift[block[0]] if cut.planes else shift


def _cut(outer: int, channels: int, inner: int) -> _Cut:
    if inner >= _LONG:
        parts = range(-(-inner // _CHUNK), inner // _LONG + 1)
        split = next((n for n in parts if inner % n == 0), 1)
        size = inner // split
        return _Cut(outer * channels * split, size, True, channels, split, max(1, _BLOCK // min(size, _CHUNK)))
    width = channels * inner
    side = next((n for n in range(max(1, _WIDE // width), 0, -1) if outer % n == 0), 1)
    step = min(max(1, _BLOCK // (width * side)), 1024)
    return _Cut(outer // side, width * side, False, channels, inner, step)


def _add(xp: Namespace, total: Array, block: Array, ones: Array, cut: _Cut, where: slice) -> None:
    if cut.planes:
        total[where] += xp.matmul(block, ones[: block.shape[1]])
    else:
        total += xp.matmul(ones[: block.shape[0]], block)


def _per_channel(xp: Namespace, total: Array, cut: _Cut) -> Array:
    return xp.sum(xp.reshape(total, (-1, cut.channels, cut.inner)), axis=(0, 2))


def _spread(xp: Namespace, stat: Array, cut: _Cut) -> Array:
    """Repeat a value per channel so that it broadcasts against the (rows, columns) view."""
    size = cut.rows if cut.planes else cut.columns
    spread = xp.tile(xp.repeat(stat, cut.inner), (size // (cut.channels * cut.inner),))
    return xp.reshape(spread, (-1, 1)) if cut.planes else spread
