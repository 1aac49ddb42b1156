"""Whole calls on NumPy arrays in a few microseconds: see `anybn.kernels.base.Lane`."""

import ctypes
import sys
from typing import Any, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from anybn.kernels import numba_drive, numba_forward
from anybn.kernels.base import Lane, Settled
from anybn.kernels.numba_finish import DONE
from anybn.kernels.numba_lane import EVALUATE, HOP, TRAIN, learn
from anybn.kernels.pool import share
from anybn.kernels.walks import Walk, Walks
from anybn.state import Params, RunningStats

Data: TypeAlias = NDArray[Any]


def _sound() -> bool:
    """Whether addresses can be had from array objects."""
    if sys.implementation.name != "cpython":
        return False
    probe: Data = np.empty(3, np.float32)
    return ctypes.c_size_t.from_address(id(probe) + HOP).value == int(probe.ctypes.data)


SOUND = _sound()


def lane(settled: Settled) -> Lane:
    """Return the lane of training or evaluation."""
    return Training(settled) if settled.rule is not None else Evaluation(settled)


class _Lane:
    """What both lanes know: what vectors must be like, and how x and y are walked."""

    def __init__(self, settled: Settled) -> None:
        self.eps, self.rule = settled.eps, settled.rule
        request = settled.request
        assert request.plan.channels is not None
        self.dtype = np.dtype(np.float64 if request.dtype == "float64" else np.float32)
        self.kind, self.channels = numba_drive.KINDS[request.dtype], request.plan.channels
        self.shape, self.steps = request.plan.param_shape, (self.dtype.itemsize,)
        self.walks = Walks(settled)
        self._results: dict[tuple[int, ...], tuple[int, ...]] = {}

    def like(self, vector: Data | None) -> bool:
        """Whether the loops can read a parameter or statistic where it lies."""
        return vector is None or (
            vector.__class__ is np.ndarray
            and vector.dtype is self.dtype
            and vector.shape == self.shape
            and vector.strides == self.steps
            and vector.flags.aligned
        )

    def walk(self, x: Data) -> Walk | None:
        """Return how x and a result like it are walked, or None where they cannot be."""
        if x.__class__ is not np.ndarray or not (SOUND and x.flags.aligned and x.dtype.isnative):
            return None
        steps = x.strides
        result = self._results.get(steps)
        if result is None:
            result = self._results[steps] = np.empty_like(x).strides
        return self.walks.get((steps, result), x.itemsize)


def _address(vector: Data | None) -> int:
    return 0 if vector is None else id(vector)


def _threads(walk: Walk) -> int:
    return 1 if walk.most == 1 else min(walk.most, numba.get_num_threads())


class Training(_Lane):
    """y by the batch's statistics, and the running ones moved."""

    def __call__(self, x: Data, params: Params, state: RunningStats | None) -> tuple[Data, RunningStats | None] | None:
        """Return y and the new state, or None: the long way."""
        walk = self.walk(x)
        if walk is None or not (self.like(params.scale) and self.like(params.offset)):
            return None
        new, moved = self._moved(state)
        if moved is None:
            return None
        y = np.empty_like(x)
        threads = _threads(walk)
        before = self.kind, walk.address, HOP, id(x), id(y), self.channels
        after = _address(params.scale), _address(params.offset), self.eps, 0, *moved
        if not walk.in_one(threads) or share(TRAIN[walk.planes], self.channels, threads, before, after) != DONE:
            pair = numba_forward.forward_in_parts(
                _job(walk, threads, x, y), self.eps, *(self.vector(one) for one in params)
            )
            learn(self.kind, HOP, self.channels, walk.job.loops.values, *pair, *moved)
        return y, new

    def _moved(self, state: RunningStats | None) -> tuple[RunningStats | None, tuple[Any, ...] | None]:
        """Return the new state, still empty, and what fills it; None where the update is more than that."""
        if state is None:
            return None, numba_forward.UNMOVED
        mean, var, steps, skipped, *renorm = state
        if (
            type(steps) is not int
            or any(part is not None for part in renorm)
            or not (self.like(mean) and self.like(var))
        ):
            return None, None
        assert self.rule is not None
        new_mean: Data = np.empty(self.channels, self.dtype)
        new_var: Data = np.empty(self.channels, self.dtype)
        addresses = id(mean), id(var), id(new_mean), id(new_var)
        moved = *addresses, *self.rule.weights(steps + 1), self.rule.correction
        return RunningStats(new_mean, new_var, steps + 1, skipped), moved

    def vector(self, one: Data | None) -> Data:
        """Return a parameter as `anybn.kernels.numba_drive` wants it; empty if there is none."""
        return (
            np.empty(0, self.dtype) if one is None else one.copy()
        )  # a copy can be written to, which compiled code asks for


class Evaluation(_Lane):
    """y by given statistics."""

    def __call__(self, x: Data, params: Params, state: RunningStats | None) -> tuple[Data, RunningStats | None] | None:
        """Return y and the same state, or None: the long way."""
        assert state is not None
        scale, offset = params
        walk = self.walk(x)
        if walk is None or not (
            self.like(scale) and self.like(offset) and self.like(state.mean) and self.like(state.var)
        ):
            return None
        threads = _threads(walk)
        if not walk.in_one(threads):
            return None
        y = np.empty_like(x)
        before = self.kind, walk.address, HOP, id(x), id(y), self.channels
        after = _address(scale), _address(offset), self.eps, id(state.mean), id(state.var)
        share(EVALUATE[walk.planes], self.channels, threads, before, after)
        return y, state


def _job(walk: Walk, threads: int, *operands: Data) -> numba_drive.Job:
    return walk.job._replace(threads=threads, addresses=tuple(int(one.ctypes.data) for one in operands))
