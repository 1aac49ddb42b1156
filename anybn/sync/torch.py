"""`Across`: torch.distributed (gloo, NCCL, …), with autograd through the collective."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
import torch.distributed as dist
from array_api_compat import torch as xp

from anybn.core.merge import Joint
from anybn.errors import SyncError, explain
from anybn.state import Moments
from anybn.sync.exchange import Exchange
from anybn.sync.message import Kind, pack, unpack, unpack_joint

Group = Any


class Across(Exchange):
    """Merges moments over the processes of a group; give it to ``reduce=``.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup, optional
        The default group if left out.

    Notes
    -----
    One all-gather forward, one all-reduce (autograd) or all-gather (`batch_norm_backward`) backward; and one more the
    first time that a size is seen, in which the processes find out whether they agree. Parameter gradients stay those of
    the local shard, as in ``torch.nn.SyncBatchNorm``: whoever averages or adds gradients over processes does so for
    these, too. Gradients can be differentiated again; each process must do so.

    Examples
    --------
    ``y, state = anybn.batch_norm(x, params, state, training=True, reduce=Across())``
    """

    engine: ClassVar[str] = "torch.distributed"
    libraries: ClassVar[tuple[str, ...]] = ("torch",)

    def __init__(self, group: Group | None = None) -> None:
        super().__init__()
        self.group = group

    def __call__(self, moments: Moments, *, dtype: str = "") -> Moments:
        """Return the moments of all processes' values together, the same in every process."""
        kind = self.kind(moments, dtype=dtype)
        shape = tuple(moments.mean.shape)
        merged = cast("torch.Tensor", _Merge.apply(pack(xp, moments), self, kind, shape))
        return _split(merged, shape)

    def joint(self, moments: Moments, dy: torch.Tensor, dy_d: torch.Tensor, *, dtype: str = "") -> Joint:
        """Return the moments and sums of an explicit backward pass, merged over all processes."""
        kind = self.kind(moments, dtype=dtype, backward=True)
        rows = cast("torch.Tensor", _Rows.apply(pack(xp, moments, dy, dy_d), self, kind.mark))
        return unpack_joint(xp, rows.unbind(), tuple(moments.mean.shape))

    def total(self, sums: torch.Tensor) -> torch.Tensor:
        """Add these numbers up over all processes, in place: what autograd's backward pass needs."""
        with _Explained():
            dist.all_reduce(sums, group=self.group)
        return sums

    def _on_host(self, message: torch.Tensor) -> bool:
        return bool(message.device.type == "cpu")

    def _all_gather(self, message: torch.Tensor) -> Sequence[torch.Tensor]:
        rows = [torch.zeros_like(message) for _ in range(self._members())]
        with _Explained():
            dist.all_gather(rows, message, group=self.group)
        return rows

    def _members(self) -> int:
        if not dist.is_initialized():
            raise SyncError(
                explain(
                    "torch.distributed is not running",
                    got="no process group",
                    expected="a group, of which this process is a member",
                    hint="torch.distributed.init_process_group('gloo') first, or reduce=None in one process",
                )
            )
        size = int(dist.get_world_size(self.group))
        if size < 1:
            raise SyncError(
                explain(
                    "this process is not in the group that it merges over",
                    got=f"rank {dist.get_rank()} of the default group",
                    expected="one of the ranks that were given to torch.distributed.new_group",
                    hint="the group of this rank, or reduce=None where there is none",
                )
            )
        return size


class _Explained:
    """Turns the engine's failure (a lost process, its time limit) into a sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if not isinstance(error, RuntimeError):
            return
        raise SyncError(
            explain(
                "the processes could not exchange their moments",
                got=str(error).splitlines()[0] if str(error) else type(error).__name__,
                expected="every process of the group alive, in the same call, within the group's timeout",
                hint="the log of the process that failed first; timeout= of torch.distributed.init_process_group",
            )
        ) from error


def _split(merged: torch.Tensor, shape: tuple[int, ...]) -> Moments:
    size = math.prod(shape)
    count = merged[2 * size :]
    count = count.reshape(()) if count.numel() == 1 else count.reshape(shape)
    return Moments(count, merged[:size].reshape(shape), merged[size : 2 * size].reshape(shape))


class _Merge(torch.autograd.Function):  # type: ignore[misc]
    """Forward: everybody's moments, merged. Backward: everybody's gradient, added up, then Chan's formula derived.

    ``n = sum(n_k)``, ``mean = sum(n_k mean_k) / n`` and ``m2 = sum(m2_k + n_k (mean_k - mean)**2)``, so
    ``d mean / d mean_k = n_k / n``, ``d m2 / d m2_k = 1``, ``d m2 / d mean_k = 2 n_k (mean_k - mean)``, and for counts
    that are sums of weights ``d mean / d n_k = (mean_k - mean) / n`` and ``d m2 / d n_k = (mean_k - mean)**2``.
    """

    @staticmethod
    def forward(ctx: Any, message: torch.Tensor, across: Across, kind: Kind, shape: tuple[int, ...]) -> torch.Tensor:
        merged = pack(xp, unpack(xp, across.gather(message.detach(), kind.mark), shape))
        ctx.across, ctx.weighted, ctx.size = across, kind.weighted, math.prod(shape)
        ctx.save_for_backward(message, merged)
        return merged

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        message, merged = ctx.saved_tensors
        size = ctx.size
        total = cast("torch.Tensor", _Total.apply(gradient if ctx.weighted else gradient[: 2 * size], ctx.across))
        d_mean, d_m2, d_count = total[:size], total[size : 2 * size], total[2 * size :]
        count, every = message[2 * size :], merged[2 * size :]
        every = torch.where(every > 0, every, torch.ones_like(every))
        delta = message[:size] - merged[:size]
        if ctx.weighted:
            d_count = d_count + delta / every * d_mean + delta * delta * d_m2
        else:
            d_count = torch.zeros_like(count)
        result = torch.cat([count / every * d_mean + 2.0 * count * delta * d_m2, d_m2, d_count])
        return result, None, None, None


class _Total(torch.autograd.Function):  # type: ignore[misc]
    """A sum over all processes, whose gradient is one, too."""

    @staticmethod
    def forward(ctx: Any, sums: torch.Tensor, across: Across) -> torch.Tensor:
        ctx.across = across
        return across.total(sums.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return cast("torch.Tensor", _Total.apply(gradient, ctx.across)), None


class _Rows(torch.autograd.Function):  # type: ignore[misc]
    """Everybody's message; each process' gradient is what all of them have for its row."""

    @staticmethod
    def forward(ctx: Any, message: torch.Tensor, across: Across, mark: float) -> torch.Tensor:
        ctx.across = across
        return torch.stack(across.gather(message.detach(), mark))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        total = cast("torch.Tensor", _Total.apply(gradient, ctx.across))
        return total[dist.get_rank(ctx.across.group)], None, None
