"""Whole calls on torch CPU tensors in a few microseconds: see `anybn.kernels.base.Lane`."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from anybn.kernels import numba_back, numba_drive
from anybn.kernels.base import Lane, Settled
from anybn.kernels.numba_lane import back, evaluate, learn, train
from anybn.kernels.thresholds import HUGE_PAGES_FROM
from anybn.kernels.torch_memory import array_of, ask_for_huge_pages, differentiable, mode, strided_like
from anybn.kernels.walks import Walk, Walks, share
from anybn.state import Params, RunningStats

Strides = tuple[int, ...]
PLAIN = frozenset({Tensor, torch.nn.Parameter})
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
        self.huge = DTYPES[request.dtype].itemsize * self.channels * (plan.count or 0) >= HUGE_PAGES_FROM
        self.walks = Walks(settled)
        self._results: dict[Strides, Strides] = {}

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

    def __call__(
        self, x: Tensor, params: Params, state: RunningStats | None
    ) -> tuple[Tensor, RunningStats | None] | None:
        """Return y and the new state, or None: the long way."""
        scale, offset = params
        walk = self.walk(x)
        if walk is None or not (self.like(scale) and self.like(offset)):
            return None
        new, moved = self._moved(state)
        if moved is None:
            return None
        if torch.is_grad_enabled() and (
            x.requires_grad
            or (scale is not None and scale.requires_grad)
            or (offset is not None and offset.requires_grad)
        ):
            return _apply(x, scale, offset, self, walk, moved), new
        y = self.fresh(x)
        self.compute(walk, x, y, scale, offset, None, moved)
        return y, new

    def _moved(self, state: RunningStats | None) -> tuple[RunningStats | None, tuple[Any, ...] | None]:
        """Return the new state, still empty, and what fills it; None where the update is more than that."""
        if state is None:
            return None, (0, 0, 0, 0, 0.0, 0.0, 0.0)
        mean, var, steps, skipped, *renorm = state
        if type(steps) is not int or renorm != [None, None, None] or not (self.like(mean) and self.like(var)):
            return None, None
        if mean.requires_grad or var.requires_grad:
            return None, None
        assert self.rule is not None
        new_mean, new_var = torch.empty_like(mean), torch.empty_like(var)
        addresses = mean.data_ptr(), var.data_ptr(), new_mean.data_ptr(), new_var.data_ptr()
        moved = *addresses, *self.rule.weights(steps + 1), self.rule.correction
        return RunningStats(new_mean, new_var, steps + 1, skipped), moved

    def compute(
        self, walk: Walk, x: Tensor, y: Tensor, scale: Tensor | None, offset: Tensor | None,
        moments: Tensor | None, moved: tuple[Any, ...],
    ) -> None:  # fmt: skip
        """Fill y, the moments (mean and m2 one after the other) and the new state."""
        threads = _threads(walk)
        if walk.in_one(threads):
            before = self.kind, walk.address, 0, x.data_ptr(), y.data_ptr(), self.channels
            after = _address(scale), _address(offset), self.eps, _address(moments), *moved
            share(train, self.channels, threads, before, after)
            return
        job = walk.job._replace(threads=threads, addresses=(x.data_ptr(), y.data_ptr()))
        pair = numba_drive.forward(job, self.eps, array_of(scale, self.dtype), array_of(offset, self.dtype))
        if moments is not None:
            moments.numpy().reshape(2, -1)[:] = pair
        learn(self.kind, 0, self.channels, walk.job.loops.values, *pair, *moved)


class _Train(Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor | None, offset: Tensor | None, lane: Training, walk: Walk, moved: Any
    ) -> Tensor:
        y = lane.fresh(x)
        moments = torch.empty(2 * lane.channels, dtype=lane.dtype)
        lane.compute(walk, x, y, scale, offset, moments, moved)
        ctx.save_for_backward(x, scale, offset)
        ctx.lane, ctx.moments = lane, moments
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, scale, offset = ctx.saved_tensors
        lane, dy = ctx.lane, grads[0]
        if torch.is_grad_enabled():  # somebody will differentiate this gradient
            return *differentiable(lane.settled, dy, x, Params(scale, offset)), None, None, None
        dx, d_scale, d_offset = _gradients(lane, strided_like(dy, x), x.detach(), scale, ctx.moments)
        d_scale = None if scale is None else d_scale
        return dx, d_scale, None if offset is None else d_offset, None, None, None


_apply = super(Function, _Train).apply  # `Function.apply` looks for functorch's transforms; `mode` has


def _gradients(lane: Training, dy: Tensor, x: Tensor, scale: Tensor | None, moments: Tensor) -> tuple[Tensor, ...]:
    dx, like = lane.fresh(x), moments[: lane.channels]
    d_scale, d_offset = torch.empty_like(like), torch.empty_like(like)
    walk = lane.walks.get((dy.stride(), x.stride(), dx.stride()), 1)
    threads = 1 if walk is None else _threads(walk)
    if walk is not None and walk.in_one(threads):
        before = lane.kind, walk.address, dy.data_ptr(), x.data_ptr(), dx.data_ptr(), lane.channels
        after = _address(scale), lane.eps, moments.data_ptr(), d_scale.data_ptr(), d_offset.data_ptr()
        share(back, lane.channels, threads, before, after)
        return dx, d_scale, d_offset
    request, operands = lane.settled.request, (dy, x, dx)
    strides, addresses = tuple(one.stride() for one in operands), tuple(one.data_ptr() for one in operands)
    job = numba_drive.job(request.dtype, request.plan, strides, 1, addresses, torch.get_num_threads)
    mean, m2 = moments.numpy().reshape(2, -1)
    found = numba_back.backward(job, lane.eps, mean, m2, array_of(scale, lane.dtype))
    return dx, *(torch.from_numpy(one) for one in found)


class Evaluation(_Lane):
    """y by given statistics."""

    def __call__(
        self, x: Tensor, params: Params, state: RunningStats | None
    ) -> tuple[Tensor, RunningStats | None] | None:
        """Return y and the same state, or None: the long way."""
        assert state is not None
        vectors = *params, state.mean, state.var
        walk = self.walk(x)
        if walk is None or not all(map(self.like, vectors)):
            return None
        if torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in (x, *vectors)):
            return None
        y = self.fresh(x)
        scale, offset, mean, var = map(_address, vectors)
        threads = _threads(walk)
        if walk.in_one(threads):
            before = self.kind, walk.address, 0, x.data_ptr(), y.data_ptr(), self.channels
            share(evaluate, self.channels, threads, before, (scale, offset, self.eps, mean, var))
        else:
            job = walk.job._replace(threads=threads, addresses=(x.data_ptr(), y.data_ptr()))
            arrays = [array_of(one, self.dtype) for one in (state.mean, state.var, *params)]
            numba_drive.evaluate(job, self.eps, *arrays)
        return y, state
