"""Shapes become a plan once; whatever computes only reads it. Pure Python, no array library."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from operator import index
from typing import Any

from anybn._typing import Shape
from anybn.errors import bad_value


@dataclass(frozen=True)
class Plan:
    """Which axes are reduced and what shapes the statistics have.

    Attributes
    ----------
    shape : tuple of int or None
        The input's shape (None: not known yet, lazy libraries only).
    axis : tuple of int
        The channel axes, ascending and not negative. Statistics are kept apart along them.
    reduce : tuple of int
        All other axes, ascending.
    param_shape : tuple of int or None
        Shape of scale, offset, mean and var: the sizes of the channel axes.
    stat_shape : tuple of int or None
        ``param_shape`` with ones where axes are reduced, so that it broadcasts against the input.
    count : int or None
        Values per channel: the product of the reduced sizes.
    """

    shape: Shape
    axis: tuple[int, ...]
    reduce: tuple[int, ...]
    param_shape: Shape
    stat_shape: Shape
    count: int | None

    def __hash__(self) -> int:
        return hash((self.shape, self.axis))

    @property
    def ndim(self) -> int:
        """Rank of the input."""
        return len(self.shape)

    @cached_property
    def channels(self) -> int | None:
        """Number of channels: the product of ``param_shape``."""
        return _product(self.param_shape)

    @property
    def batch_axis(self) -> int:
        """The axis of the samples: the first one that is not a channel axis."""
        return self.reduce[0]

    @cached_property
    def layout(self) -> tuple[int | None, int | None, int | None] | None:
        """(outer, channels, inner) sizes when the channel axes are adjacent: any such input is this 3-D array.

        ``(N, C, H, W)`` is ``(N, C, H*W)``, channels last is ``(N*H*W, C, 1)``. None when channel axes are apart.
        """
        first, last = self.axis[0], self.axis[-1]
        if last - first + 1 != len(self.axis):
            return None
        return _product(self.shape[:first]), self.channels, _product(self.shape[last + 1 :])


def _product(sizes: Shape) -> int | None:
    known = [size for size in sizes if size is not None]
    return prod(known) if len(known) == len(sizes) else None


_CACHE: dict[Hashable, Plan] = {}
_CACHE_LIMIT = 1024


def plan(shape: Sequence[int | None], axis: int | Sequence[int] = 1) -> Plan:
    """Return the plan for an input of this shape with these channel axes; the answer is cached.

    Parameters
    ----------
    shape : sequence of int or None
        The input's shape, rank at least 2.
    axis : int or sequence of int
        The channel axis or axes; negative ones count from the end.

    Raises
    ------
    BadValue
        For a rank below 2, an axis out of range or named twice, or no axis left to reduce.
    """
    # Only a true int may be a key: 1.0 and True are equal to it, and would be answered from the cache unchecked.
    named = tuple(axis) if isinstance(axis, Sequence) else axis
    key = (tuple(shape), named) if type(named) is int else (tuple(shape), named, repr(named))
    found = _CACHE.get(key)
    if found is None:
        found = make_plan(tuple(shape), named)
        if len(_CACHE) >= _CACHE_LIMIT:
            _CACHE.clear()
        _CACHE[key] = found
    return found


def make_plan(shape: Sequence[Any], axis: int | Sequence[int]) -> Plan:
    """Return the plan without looking in the cache (symbolic sizes under a tracer are no keys)."""
    shape = tuple(None if isinstance(size, float) else size for size in shape)  # Dask's unknown size is nan
    if len(shape) < 2:
        raise bad_value(
            "x has too few axes",
            got=f"shape {shape}",
            expected="a batch: rank 2 or more, such as (N, C) or (N, C, H, W)",
            hint="adding a batch axis: x[None, ...]",
        )
    kept = _channel_axes(len(shape), axis)
    reduce = tuple(i for i in range(len(shape)) if i not in kept)
    if not reduce:
        raise bad_value(
            "axis leaves nothing to average over",
            got=f"axis {axis} for shape {shape}",
            expected="at least one axis that is not a channel axis",
            hint="naming only the channel axes",
        )
    return Plan(
        shape=shape,
        axis=kept,
        reduce=reduce,
        param_shape=tuple(shape[i] for i in kept),
        stat_shape=tuple(size if i in kept else 1 for i, size in enumerate(shape)),
        count=_product(tuple(shape[i] for i in reduce)),
    )


def _channel_axes(ndim: int, axis: int | Sequence[int]) -> tuple[int, ...]:
    named = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    kept = set()
    for one in named:
        try:
            position = index(one)
        except TypeError:
            position = ndim
        if isinstance(one, bool) or not -ndim <= position < ndim:
            raise bad_value(
                "axis is out of range",
                got=f"axis {axis!r} for {ndim} axes",
                expected=f"integers from {-ndim} to {ndim - 1}",
                hint="axis=1 for (N, C, ...) or axis=-1 for channels last",
            )
        kept.add(position % ndim)
    if len(kept) != len(named) or not kept:
        raise bad_value(
            "axis must name each channel axis once",
            got=f"axis {axis!r}",
            expected="one axis or several different ones",
            hint="axis=1 or axis=(1, 2)",
        )
    return tuple(sorted(kept))
