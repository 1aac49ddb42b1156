"""Training forward in place and block by block, for dense arrays in memory: a fraction of the plain formula's time.

The maths is that of `anybn.core.moments`, with two liberties that cost no digit:

- Sums are products with a vector of ones (BLAS adds in many accumulators at once) over blocks that fit the cache; the
  blocks' sums are added up in float64.
- The second centring is a pass of its own only where the first one left more than a thirtieth of a standard deviation
  (large means, constants). Else the little rest is taken out of the float64 sums, and out of y by way of the offset.

An array of (outer, channels, inner) is walked as a matrix of outer rows, block by block in the order of memory. Rows that
are short (few channels, channels last) are laid side by side. Where planes are long, each is summed by itself; else
columns are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from anybn._typing import Array, Namespace
from anybn.state import Params

_BLOCK = 1 << 17  # values: 512 KiB of float32, which a core's own cache holds
_CHUNK = 1024  # float32 is not asked to add up more values than this at once
_LONG = 64  # an inner size from which a plane per channel is worth a call of BLAS
_PLAIN = 512  # an inner size from which one value per plane is faster than one per column
_WIDE = 2048  # rows narrower than this are laid side by side
_TILE = 8192  # columns that have a value each: so many such values stay in the cache
_BUFFER = 256  # values in NumPy's buffer
_REST = 0.001  # squared: what the first centring may leave, in variances


class Statistics(NamedTuple):
    """Per channel, float64."""

    mean: Array
    m2: Array


class _Block(NamedTuple):
    """A place in the matrix; ``number`` is that of its row of blocks, ``values`` says which values of a spread belong to it."""

    number: int
    rows: slice
    channels: slice
    columns: slice
    values: slice


class _Cut(NamedTuple):
    """Rows of (side, channels, inner) values, and how to walk them."""

    rows: int
    side: int
    channels: int
    inner: int

    @property
    def parts(self) -> int:
        """Into how many a plane is cut for sums; 0 if columns are added up instead."""
        if self.inner < _LONG:
            return 0
        wanted = range(-(-self.inner // _CHUNK), self.inner // _LONG + 1)
        return next((n for n in wanted if self.inner % n == 0), 1)

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and channels of a block."""
        values = _BLOCK if self.inner >= _PLAIN else _TILE
        channels = self.channels if self.side > 1 else min(self.channels, max(1, values // self.inner))
        return min(self.rows, _CHUNK, max(1, _BLOCK // (self.side * channels * self.inner))), channels

    def blocks(self) -> Iterator[_Block]:
        """Yield the blocks in the order of memory."""
        (height, width), factor = self.tile, self.side * self.inner
        for number, top in enumerate(range(0, self.rows, height)):
            for left in range(0, self.channels, width):
                channels = slice(left, min(left + width, self.channels))
                columns = slice(channels.start * factor, channels.stop * factor)
                values = channels if self.inner >= _PLAIN else columns
                yield _Block(number, slice(top, top + height), channels, columns, values)

    def open(self, xp: Namespace, block: Array) -> Array:
        """Return a view against which `spread` broadcasts."""
        return xp.reshape(block, (block.shape[0], -1, self.inner)) if self.inner >= _PLAIN else block

    def spread(self, xp: Namespace, stat: Array) -> Array:
        """Return a value per channel so that a slice of it broadcasts against an open block."""
        if self.inner >= _PLAIN:
            return xp.reshape(stat, (-1, 1))
        wide = stat if self.inner == 1 else xp.repeat(stat, self.inner)
        return wide if self.side == 1 else xp.tile(wide, (self.side,))


class _Sums:
    """Sums of blocks, which are added up in float64 at the end."""

    def __init__(self, xp: Namespace, cut: _Cut, dtype: object) -> None:
        self.xp, self.cut, self.parts = xp, cut, cut.parts
        height, width = cut.tile
        if self.parts:
            self.ones = xp.ones(cut.inner // self.parts, dtype=dtype)
            self.found = xp.empty((cut.rows, cut.channels, self.parts), dtype=dtype)
            return
        factor = cut.side * cut.inner
        self.ones = xp.ones(height, dtype=dtype)
        self.found = xp.empty((-(-cut.rows // height), cut.channels * factor), dtype=dtype)
        self.spare = xp.empty((height, width * factor), dtype=dtype)

    def add(self, values: Array, at: _Block) -> None:
        """Note a block's sums."""
        if self.parts:
            self.xp.matmul(self._planes(values), self.ones, out=self.found[at.rows, at.channels])
        else:
            self.xp.matmul(self.ones[: values.shape[0]], values, out=self.found[at.number, at.columns])

    def add_squares(self, values: Array, at: _Block) -> None:
        """Note the sums of a block's squares."""
        if self.parts:
            planes = self._planes(values)
            self.xp.vecdot(planes, planes, out=self.found[at.rows, at.channels])
        else:
            spare = self.spare[: values.shape[0], : values.shape[1]]
            self.add(self.xp.multiply(values, values, out=spare), at)

    def total(self) -> Array:
        """Return the sums per channel, in float64."""
        xp, cut = self.xp, self.cut
        if self.parts:
            return xp.sum(self.found, axis=(0, 2), dtype=xp.float64)
        each = xp.sum(self.found, axis=0, dtype=xp.float64)
        return xp.sum(xp.reshape(each, (cut.side, cut.channels, cut.inner)), axis=(0, 2))

    def _planes(self, block: Array) -> Array:
        return self.xp.reshape(block, (block.shape[0], -1, self.parts, self.ones.shape[0]))


@contextmanager
def _unbuffered(xp: Namespace, cut: _Cut) -> Iterator[None]:
    """Let NumPy work on long runs where they are: it copies what broadcasts if a run is shorter than its buffer."""
    if cut.inner < _PLAIN and cut.side * cut.tile[1] * cut.inner < _PLAIN:
        yield
        return
    before = xp.setbufsize(_BUFFER)
    try:
        yield
    finally:
        xp.setbufsize(before)


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
    x, out = (xp.reshape(one, (cut.rows, -1)) for one in (x, out))
    with _unbuffered(xp, cut):
        return _forward(xp, cut, x, out, params, eps)


def _forward(xp: Namespace, cut: _Cut, x: Array, out: Array, params: Params, eps: float) -> Statistics | None:
    count = cut.rows * cut.side * cut.inner
    sums = _Sums(xp, cut, x.dtype)
    for at in cut.blocks():
        sums.add(x[at.rows, at.columns], at)
    mean = xp.astype(sums.total() / count, x.dtype)
    rest, m2 = _subtract(xp, cut, x, mean, out, sums)
    mean = mean + rest
    if not bool(xp.all(xp.isfinite(m2))):
        return None
    if bool(xp.any(rest * rest * count > _REST * m2)):
        again = xp.astype(rest, x.dtype)
        mean = mean - rest + again
        rest, m2 = _subtract(xp, cut, out, again, out, sums)
        mean = mean + rest
    m2 = m2 - rest * rest * count
    _scale(xp, cut, out, rest, m2 / count, params, eps)
    return Statistics(mean, m2)


def _subtract(xp: Namespace, cut: _Cut, x: Array, mean: Array, out: Array, sums: _Sums) -> tuple[Array, Array]:
    """Write ``x - mean`` into out; return, per channel, the mean that is left and the sum of squares."""
    spread, squares = cut.spread(xp, mean), _Sums(xp, cut, x.dtype)
    for at in cut.blocks():
        place = at.rows, at.columns
        d = out[place]
        xp.subtract(cut.open(xp, x[place]), spread[at.values], out=cut.open(xp, d))
        sums.add(d, at)
        squares.add_squares(d, at)
    return sums.total() / (cut.rows * cut.side * cut.inner), squares.total()


def _scale(xp: Namespace, cut: _Cut, out: Array, rest: Array, var: Array, params: Params, eps: float) -> None:
    """Turn ``out``, which holds d, into ``(d - rest) / sqrt(var + eps) * scale + offset``."""
    scale, offset = params
    factor = 1.0 / xp.sqrt(var + eps)
    factor = factor if scale is None else factor * scale
    shift = -rest * factor if offset is None else offset - rest * factor
    factor, shift = (cut.spread(xp, xp.astype(one, out.dtype)) for one in (factor, shift))
    for at in cut.blocks():
        y = cut.open(xp, out[at.rows, at.columns])
        y *= factor[at.values]
        y += shift[at.values]


def _cut(outer: int, channels: int, inner: int) -> _Cut:
    side = 1
    if inner < _LONG:
        side = next((n for n in range(max(1, _WIDE // (channels * inner)), 0, -1) if outer % n == 0), 1)
    return _Cut(outer // side, side, channels, inner)
