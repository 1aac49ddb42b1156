"""Whole calls on torch CPU tensors in a few microseconds: see `anybn.kernels.base.Lane`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from anybn._typing import Array
from anybn.kernels import numba_back, numba_drive, numba_forward
from anybn.kernels.base import Lane, Settled
from anybn.kernels.compiled import direct
from anybn.kernels.numba_finish import DONE
from anybn.kernels.numba_lane import BACK, EVALUATE, TRAIN, learn
from anybn.kernels.pool import share
from anybn.kernels.thresholds import HUGE_PAGES_FROM
from anybn.kernels.torch_guard import Guard
from anybn.kernels.torch_memory import array_of, ask_for_huge_pages
from anybn.kernels.torch_modes import differentiable, mode, strided_like
from anybn.kernels.walks import Walk, Walks
from anybn.state import Params, RunningStats

Strides = tuple[int, ...]
PLAIN = frozenset({Tensor, torch.nn.Parameter})
_NO_RENORM = None, None, None
Loops = tuple[Any, Any]
DTYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16}


def lane(settled: Settled) -> Lane:
    """Return the lane of training or evaluation."""
    return Training(settled) if settled.rule is not None else Evaluation(settled)


class _Lane:
    """What both lanes know: what vectors must be like, and how x and y are walked."""

    def __init__(self, settled: Settled) -> None:
        self.settled, self.eps, self.rule = settled, settled.eps, settled.rule
        request = settled.request
        plan = request.plan
        assert plan.channels is not None
        self.dtype = torch.float64 if request.dtype == "float64" else torch.float32
        self.kind, self.channels, self.shape = numba_drive.KINDS[request.dtype], plan.channels, plan.param_shape
        self.kept = np.float64 if self.dtype is torch.float64 else np.float32
        self.huge = DTYPES[request.dtype].itemsize * self.channels * (plan.count or 0) >= HUGE_PAGES_FROM
        self.walks = Walks(settled)
        self._results: dict[Strides, Strides] = {}
        self._guards: dict[bool, Guard] = {}
        self._compiled: dict[tuple[int, bool], Any] = {}

    def find(self, x: Tensor, params: Params, state: RunningStats | None) -> tuple[Walk, bool] | None:
        """Return how x is walked and whether x or a parameter wants a gradient; None where the lane does not fit."""
        scale, offset = params
        full = scale is not None and offset is not None and state is not None
        guard = self._guards.get(x.requires_grad) if full and forward_ad._current_level < 0 else None
        if guard is not None and guard.check(x, scale, offset, state[0], state[1]):  # type: ignore[index]
            known: tuple[Walk, bool] = guard.found
            return known
        walk = self.walk(x)
        vectors = params if state is None else (scale, offset, state.mean, state.var)
        if walk is None or not all(map(self.like, vectors)):
            return None
        if state is not None and (state.mean.requires_grad or state.var.requires_grad):
            return None
        found = walk, any(one is not None and one.requires_grad for one in (x, *params))
        if full:
            self._guards[x.requires_grad] = Guard((x, *vectors), found)
        return found

    def like(self, vector: Tensor | None) -> bool:
        """Whether the loops can read a parameter or statistic where it lies."""
        return vector is None or (
            vector.__class__ in PLAIN
            and vector.dtype is self.dtype
            and vector.shape == self.shape
            and vector.is_cpu
            and vector.is_contiguous()
            and not vector.is_neg()
        )

    def walk(self, x: Tensor) -> Walk | None:
        """Return how x and a result like it are walked, or None where they cannot be."""
        if x.__class__ not in PLAIN or x.layout is not torch.strided or not x.is_cpu or x.is_neg() or mode():
            return None
        steps = x.stride()
        result = self._results.get(steps)
        if result is None:
            result = self._results[steps] = torch.empty_like(x).stride()
        return self.walks.get((steps, result), 1)

    def compiled(self, both: Loops, walk: Walk, before: tuple[Any, ...], after: tuple[Any, ...]) -> Any:
        """Return the loop for such a walk, compiled for such arguments."""
        key = id(both), walk.planes
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = direct(both[walk.planes], (*before, 0, 0, *after))
        return found

    def fresh(self, x: Tensor) -> Tensor:
        """Return an uninitialised tensor like x."""
        y = torch.empty_like(x)
        if self.huge:
            ask_for_huge_pages(y)
        return y


def _threads(walk: Walk) -> int:
    return 1 if walk.most == 1 else min(walk.most, torch.get_num_threads())


def _address(vector: Tensor | None) -> int:
    return 0 if vector is None else vector.data_ptr()


class Training(_Lane):
    """y by the batch's statistics, and the running ones moved."""

    def __init__(self, settled: Settled) -> None:
        super().__init__(settled)
        self._gradient_guard: Guard | None = None

    def __call__(
        self, x: Tensor, params: Params, state: RunningStats | None
    ) -> tuple[Tensor, RunningStats | None] | None:
        """Return y and the new state, or None: the long way."""
        if state is not None and (type(state.steps) is not int or state[4:] != _NO_RENORM):
            return None
        found = self.find(x, params, state)
        if found is None:
            return None
        walk, recorded = found
        new, moved = self._moved(state)
        if recorded and torch.is_grad_enabled():
            return _apply(x, *params, (self, walk, moved)), new
        y = self.fresh(x)
        self.compute(walk, x, y, params, None, moved)
        return y, new

    def _moved(self, state: RunningStats | None) -> tuple[RunningStats | None, tuple[Any, ...]]:
        """Return the new state, still empty, and what fills it."""
        if state is None:
            return None, numba_forward.UNMOVED
        mean, var, steps, skipped = state[:4]
        assert self.rule is not None
        assert isinstance(steps, int)
        new_mean, new_var = torch.empty_like(mean), torch.empty_like(var)
        by_mean, by_var = self.rule.weights(steps + 1)
        addresses = mean.data_ptr(), var.data_ptr(), new_mean.data_ptr(), new_var.data_ptr()
        return RunningStats(new_mean, new_var, steps + 1, skipped), (*addresses, by_mean, by_var, self.rule.correction)

    def compute(
        self, walk: Walk, x: Tensor, y: Tensor, params: Params, moments: Array | None, moved: tuple[Any, ...]
    ) -> None:
        """Fill y, the moments (mean and m2 one after the other) and the new state."""
        scale, offset = params
        threads, channels = _threads(walk), self.channels
        if walk.in_one(threads):
            before = self.kind, walk.address, 0, x.data_ptr(), y.data_ptr(), channels
            after = _address(scale), _address(offset), self.eps, 0 if moments is None else id(moments), *moved
            if share(self.compiled(TRAIN, walk, before, after), channels, threads, before, after) == DONE:
                return
        job = walk.job._replace(threads=threads, addresses=(x.data_ptr(), y.data_ptr()))
        pair = numba_forward.forward_in_parts(job, self.eps, array_of(scale, self.dtype), array_of(offset, self.dtype))
        if moments is not None:
            moments.reshape(2, -1)[:] = pair
        learn(self.kind, 0, channels, walk.job.loops.values, *pair, *moved)

    def gradients(self, dy: Tensor, x: Tensor, params: Params, moments: Array) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, scale and offset."""
        dx, channels = self.fresh(x), self.channels
        d_scale, d_offset = (None if one is None else torch.empty_like(one) for one in params)
        guard = self._gradient_guard
        if guard is None or not guard.check(dy, x):
            dy = strided_like(dy, x)
            guard = Guard((dy, x), self.walks.get((dy.stride(), x.stride(), dx.stride()), 1))
            self._gradient_guard = guard
        walk: Walk | None = guard.found
        threads = 1 if walk is None else _threads(walk)
        if walk is None or not walk.in_one(threads):
            return self._gradients_of_parts(dy, x, dx, params, moments)
        before = self.kind, walk.address, dy.data_ptr(), x.data_ptr(), dx.data_ptr(), channels
        after = _address(params.scale), self.eps, id(moments), _address(d_scale), _address(d_offset)
        if share(self.compiled(BACK, walk, before, after), channels, threads, before, after):
            return self._gradients_of_parts(dy, x, dx, params, moments)
        return dx, d_scale, d_offset

    def _gradients_of_parts(
        self, dy: Tensor, x: Tensor, dx: Tensor, params: Params, moments: Array
    ) -> tuple[Tensor | None, ...]:
        request, operands = self.settled.request, (dy, x, dx)
        strides, addresses = tuple(one.stride() for one in operands), tuple(one.data_ptr() for one in operands)
        job = numba_drive.job(request.dtype, request.plan, strides, 1, addresses, torch.get_num_threads)
        mean, m2 = moments.reshape(2, -1)
        found = numba_back.backward_in_parts(job, self.eps, mean, m2, array_of(params.scale, self.dtype))
        return dx, *(None if one is None else torch.from_numpy(array) for one, array in zip(params, found, strict=True))


class _Train(Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor | None, offset: Tensor | None, how: tuple[Training, Walk, Any]
    ) -> Tensor:
        lane, walk, moved = how
        y = lane.fresh(x)
        moments: Array = np.empty(2 * lane.channels, lane.kept)
        lane.compute(walk, x, y, Params(scale, offset), moments, moved)
        ctx.save_for_backward(x, scale, offset)
        ctx.made = lane, moments
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, scale, offset = ctx.saved_tensors
        lane, moments = ctx.made
        if torch.is_grad_enabled():  # somebody will differentiate this gradient
            return *differentiable(lane.settled, grads[0], x, Params(scale, offset)), None
        return *lane.gradients(grads[0], x, Params(scale, offset), moments), None


_apply = super(Function, _Train).apply  # `Function.apply` looks for functorch's transforms; the lane has


class Evaluation(_Lane):
    """y by given statistics."""

    def __call__(
        self, x: Tensor, params: Params, state: RunningStats | None
    ) -> tuple[Tensor, RunningStats | None] | None:
        """Return y and the same state, or None: the long way."""
        assert state is not None
        found = self.find(x, params, state)
        if found is None or (found[1] and torch.is_grad_enabled()):
            return None
        walk, (scale, offset), y = found[0], params, self.fresh(x)
        threads, mean, var = _threads(walk), state.mean, state.var
        if walk.in_one(threads):
            before = self.kind, walk.address, 0, x.data_ptr(), y.data_ptr(), self.channels
            after = _address(scale), _address(offset), self.eps, mean.data_ptr(), var.data_ptr()
            share(self.compiled(EVALUATE, walk, before, after), self.channels, threads, before, after)
        else:
            job = walk.job._replace(threads=threads, addresses=(x.data_ptr(), y.data_ptr()))
            numba_forward.evaluate(job, self.eps, *(array_of(one, self.dtype) for one in (mean, var, scale, offset)))
        return y, state
