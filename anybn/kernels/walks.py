"""How the operands of a `anybn.kernels.base.Lane` are walked by compiled code: made once for each set of strides."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anybn.kernels.base import Settled
from anybn.kernels.numba_drive import Job, by_channels, in_one, walk_of, words_of
from anybn.kernels.strided import Strides

LIMIT = 64


class Walk(NamedTuple):
    """One way through memory.

    ``job`` is for one thread; ``planes`` says whether the innermost axis is reduced; ``most`` is how many threads its size is worth;
    ``single`` whether `anybn.kernels.numba_lane` does it, in one call per thread, which reads ``words`` at ``address``.
    """

    job: Job
    planes: bool
    most: int
    single: bool
    words: NDArray[np.int64]
    address: int

    def in_one(self, threads: int) -> bool:
        """Whether `anybn.kernels.numba_lane` does it, each thread some channels (else: `anybn.kernels.numba_drive`)."""
        return self.single and (threads == 1 or by_channels(self.job._replace(threads=threads)))


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
        words = words_of(job)
        return Walk(job._replace(threads=1), loops.planes, job.threads, in_one(job), words, words.ctypes.data)
