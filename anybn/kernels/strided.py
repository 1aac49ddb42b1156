"""Where the numbers of an array lie: any strided view as a few nested loops over flat memory.

Axes that several operands (x and y, or x, dy and dx) can all walk as one are joined, so a contiguous ``(N, C, H, W)`` becomes
``N`` rows of ``C`` channels of ``H * W`` neighbours, and a contiguous channels-last array ``N * H * W`` rows of ``C`` channels.
Pure Python on integers, cached: nothing here knows an array library.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

Strides = tuple[int, ...]


class Loops(NamedTuple):
    """How to walk all operands.

    Attributes
    ----------
    outer, inner : int
        Sizes of the two loops over rows; row ``r`` is ``(r // inner, r % inner)``.
    channels : int
        Number of channels.
    length : int
        Neighbours per row and channel; 1 where the channel is the innermost axis.
    planes : bool
        Whether the innermost axis is reduced (else it is the channel).
    strides : tuple of (outer, inner, channel, element)
        One per operand, in elements.
    starts : tuple of offsets, one per operand
        Where the loops begin; more than one where an irregular view needs more loops than these.
    """

    outer: int
    inner: int
    channels: int
    length: int
    planes: bool
    strides: tuple[Strides, ...]
    starts: tuple[Strides, ...]

    @property
    def rows(self) -> int:
        """Rows of each channel, per start."""
        return self.outer * self.inner

    @property
    def values(self) -> int:
        """Numbers of each channel."""
        return self.rows * self.length * len(self.starts)

    @property
    def packed_rows(self) -> bool:
        """Whether every operand is rows of channels without any gap, so that several rows may be taken as one."""
        if self.planes or self.outer > 1 or not self.regular:
            return False
        return self.inner == 1 or all(s[1] == self.channels for s in self.strides)

    @property
    def regular(self) -> bool:
        """Whether the numbers along the innermost axis are neighbours in all operands."""
        if self.planes:
            return all(s[3] == 1 for s in self.strides)
        return self.channels == 1 or all(s[2] == 1 for s in self.strides)


class _Axis(NamedTuple):
    size: int
    strides: Strides  # one per operand


@lru_cache(maxsize=512)
def loops(shape: tuple[int, ...], axis: tuple[int, ...], strides: tuple[Strides, ...]) -> Loops | None:
    """Return the loops over operands of this shape, or None when the channel axes cannot be walked as one.

    Parameters
    ----------
    shape : tuple of int
        No size is 0.
    axis : tuple of int
        The channel axes, ascending.
    strides : one tuple per operand
        In elements; the first operand decides the order of the loops.
    """
    kept = _joined([_Axis(shape[i], tuple(s[i] for s in strides)) for i in axis])
    if len(kept) > 1:
        return None
    channel = kept[0] if kept else _Axis(1, (0,) * len(strides))
    free = [_Axis(size, tuple(s[i] for s in strides)) for i, size in enumerate(shape) if i not in axis]
    reduced = _joined(sorted(free, key=lambda one: -abs(one.strides[0])))
    planes = bool(reduced) and (channel.size == 1 or abs(reduced[-1].strides[0]) < abs(channel.strides[0]))
    element = reduced.pop() if planes else _Axis(1, (0,) * len(strides))
    starts = _starts(reduced[:-2], len(strides))
    outer, inner = ([_Axis(1, (0,) * len(strides))] * 2 + reduced)[-2:]
    walks = tuple(zip(outer.strides, inner.strides, channel.strides, element.strides, strict=True))
    return Loops(outer.size, inner.size, channel.size, element.size, planes, walks, starts)


def _starts(axes: list[_Axis], operands: int) -> tuple[Strides, ...]:
    every = product(*(range(axis.size) for axis in axes))
    return tuple(
        tuple(sum(i * axis.strides[k] for i, axis in zip(place, axes, strict=True)) for k in range(operands))
        for place in every
    )


def _joined(axes: list[_Axis]) -> list[_Axis]:
    """Join neighbours wherever all operands step from one to the next without a gap; drop axes of size 1."""
    done: list[_Axis] = []
    for one in axes:
        if one.size == 1:
            continue
        if done and all(a == b * one.size for a, b in zip(done[-1].strides, one.strides, strict=True)):
            done[-1] = _Axis(done[-1].size * one.size, one.strides)
        else:
            done.append(one)
    return done
