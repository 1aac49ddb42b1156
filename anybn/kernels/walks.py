"""How the operands of a `anybn.kernels.base.Lane` are walked and shared among threads: made once for each set of strides."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anybn.kernels.base import Settled
from anybn.kernels.numba_drive import Job, by_channels, places, walk_of
from anybn.kernels.pool import run, split
from anybn.kernels.strided import Strides

LIMIT = 64


class Walk(NamedTuple):
    """One way through memory.

    ``job`` is for one thread; ``most`` is how many threads its size is worth; ``words`` is what `anybn.kernels.numba_lane` reads, at
    ``address``.
    """

    job: Job
    most: int
    words: NDArray[np.int64]
    address: int

    def in_one(self, threads: int) -> bool:
        """Whether `anybn.kernels.numba_lane` does it, each thread some channels (else: `anybn.kernels.numba_drive`)."""
        return threads == 1 or by_channels(self.job._replace(threads=threads))


class Walks:
    """The walks of one lane, by the strides of its operands."""

    def __init__(self, settled: Settled) -> None:
        self._request = settled.request
        self._known: dict[tuple[Strides, ...], Walk | None] = {}

    def get(self, strides: tuple[Strides, ...], unit: int) -> Walk | None:
        """Return the walk, or None where one call of compiled code is not enough."""
        if strides in self._known:
            return self._known[strides]
        made = self._make(strides, unit)
        if len(self._known) >= LIMIT:
            self._known.clear()
        self._known[strides] = made
        return made

    def _make(self, strides: tuple[Strides, ...], unit: int) -> Walk | None:
        if any(step % unit for one in strides for step in one):
            return None
        plan = self._request.plan
        job = walk_of(self._request.dtype, plan.shape, plan.axis, strides, unit)
        loops = job.loops
        if len(loops.starts) != 1:
            return None
        # Backward passes hold two inputs of a tile in the cache.
        tile = max(1, job.tile // (len(strides) - 1))
        head = loops.planes, loops.inner, loops.length, loops.rows, job.copies, tile
        words = np.array([*head, *(step for place in places(loops) for step in place)], np.int64)
        return Walk(job._replace(threads=1), job.threads, words, words.ctypes.data)


def share(
    work: Callable[..., Any], channels: int, threads: int, before: tuple[Any, ...], after: tuple[Any, ...]
) -> None:
    """Call ``work(*before, first, last, *after)``, by as many threads, each with some of the channels."""
    if threads == 1:
        work(*before, 0, channels, *after)
        return
    run([partial(work, *before, *some, *after) for some in split(channels, threads)])
