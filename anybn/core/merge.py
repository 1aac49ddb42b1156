"""Moments form a monoid: two sets' moments give those of their union, in any order, with one neutral element.

Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", equation
2.1::

    count = a.count + b.count
    mean  = a.mean + (b.mean - a.mean) * b.count / count
    m2    = a.m2 + b.m2 + (b.mean - a.mean)**2 * a.count * b.count / count

Never through E[x²] - E[x]² or a standard deviation: both lose the digits that this keeps.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from anybn._typing import Array, Namespace
from anybn.state import Moments


class Joint(NamedTuple):
    """Moments of x together with what a backward pass adds up per channel: ``sum(dy)`` and ``sum(dy * (x - mean))``."""

    moments: Moments
    dy: Array
    dy_d: Array


def merge(xp: Namespace, a: Moments, b: Moments) -> Moments:
    """Return the moments of both sets together; a side with count 0 changes nothing, whatever its mean says."""
    count = a.count + b.count
    if isinstance(count, int | float):
        if not a.count or not b.count:
            return b if not a.count else a
        share: Array | float = b.count / count
    else:
        share = b.count / xp.where(count > 0, count, xp.ones_like(count))
    delta = b.mean - a.mean
    mean = a.mean + delta * share
    m2 = a.m2 + b.m2 + delta * delta * (a.count * share)
    if isinstance(count, int | float):
        return Moments(count, mean, m2)
    return Moments(count, *(_sided(xp, a, b, *three) for three in ((mean, a.mean, b.mean), (m2, a.m2, b.m2))))


def merge_all(xp: Namespace, parts: Iterable[Moments]) -> Moments | None:
    """Merge any number of moments as a balanced tree, holding log2(n) of them at a time; None for none.

    Adding one batch after the other to one big total rounds n times; a tree rounds log2(n) times, as pairwise
    summation does (Higham 1993, "The accuracy of floating point summation").
    """
    waiting: list[tuple[int, Moments]] = []
    for part in parts:
        size, merged = 1, part
        while waiting and waiting[-1][0] == size:
            _, before = waiting.pop()
            size, merged = 2 * size, merge(xp, before, merged)
        waiting.append((size, merged))
    total: Moments | None = None
    for _, moments in reversed(waiting):
        total = moments if total is None else merge(xp, moments, total)
    return total


def merge_joint(xp: Namespace, parts: Sequence[Joint]) -> Joint:
    """Return the joint sums of all parts; each part's ``dy_d`` moves from its own mean to everybody's."""
    total = merge_all(xp, [part.moments for part in parts])
    assert total is not None
    dy, dy_d = xp.zeros_like(total.mean), xp.zeros_like(total.mean)
    for part in parts:
        dy = dy + part.dy
        dy_d = dy_d + part.dy_d + (part.moments.mean - total.mean) * part.dy
    return Joint(total, dy, dy_d)


def _sided(xp: Namespace, a: Moments, b: Moments, both: Array, of_a: Array, of_b: Array) -> Array:
    """Take the value of one side where the other has no weight: 0 * NaN is NaN."""
    left = _full(xp, a.count, both) > 0
    right = _full(xp, b.count, both) > 0
    return xp.where(right, xp.where(left, both, of_b), of_a)


def _full(xp: Namespace, count: Array | float, like: Array) -> Array:
    return xp.zeros_like(like) + count
