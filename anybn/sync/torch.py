"""`Across`: torch.distributed (gloo, NCCL, …), with autograd through the collective."""

import math
from typing import Any, cast

import torch
import torch.distributed as dist
from array_api_compat import torch as xp

from anybn.core.merge import Joint
from anybn.errors import SyncError, explain
from anybn.state import Moments
from anybn.sync.message import HEADER_MARK, Kind, agree, check_seals, kind_of, pack, seal, unpack, unpack_joint

Group = Any


class Across:
    """Merges moments over the processes of a group; give it to ``reduce=``.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup, optional
        The default group if left out.

    Notes
    -----
    One all-gather forward, one all-reduce (autograd) or all-gather (`batch_norm_backward`) backward; and one more the
    first time that a size is seen, in which the processes find out whether they agree. Parameter gradients stay those of the local shard, as in
    ``torch.nn.SyncBatchNorm``: whoever averages or adds gradients over processes does so for these, too.

    Examples
    --------
    ``y, state = anybn.batch_norm(x, params, state, training=True, reduce=Across())``
    """

    def __init__(self, group: Group | None = None) -> None:
        self.group = group
        self._agreed: set[Kind] = set()

    def __call__(self, moments: Moments) -> Moments:
        """Return the moments of all processes' values together, the same in every process."""
        kind = self._agree(kind_of(moments), moments.mean.device)
        shape = tuple(moments.mean.shape)
        merged = cast("torch.Tensor", _Gather.apply(pack(xp, moments), self, kind.mark, shape))
        return _split(merged, shape)

    def joint(self, moments: Moments, dy: torch.Tensor, dy_d: torch.Tensor) -> Joint:
        """Return the moments and sums of an explicit backward pass, merged over all processes; no autograd."""
        kind = self._agree(kind_of(moments, backward=True), moments.mean.device)
        rows = self.gather(pack(xp, moments, dy, dy_d).detach(), kind.mark)
        return unpack_joint(xp, rows, tuple(moments.mean.shape))

    def total(self, sums: torch.Tensor) -> torch.Tensor:
        """Add these numbers up over all processes, in place: what autograd's backward pass needs."""
        with self._explained():
            dist.all_reduce(sums, group=self.group)
        return sums

    def gather(self, message: torch.Tensor, mark: float) -> list[torch.Tensor]:
        """Return every process' message."""
        sealed = seal(xp, message, mark)
        rows = [torch.zeros_like(sealed) for _ in range(dist.get_world_size(self.group))]
        with self._explained():
            dist.all_gather(rows, sealed, group=self.group)
        if message.device.type == "cpu":  # on a GPU a look would wait for the result, and NCCL checks lengths itself
            check_seals([float(row[-1]) for row in rows], mark)
        return [row[:-1] for row in rows]

    def _agree(self, kind: Kind, device: torch.device) -> Kind:
        if kind not in self._agreed:
            rows = self.gather(torch.tensor(kind, device=device, dtype=torch.float64), HEADER_MARK)
            agree([Kind(*map(int, row.tolist())) for row in rows])
            self._agreed.add(kind)
        return kind

    def _explained(self) -> "_Explained":
        return _Explained()


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


class _Gather(torch.autograd.Function):  # type: ignore[misc]
    """Forward: everybody's moments, merged. Backward: everybody's gradient, added up, then Chan's formula derived.

    ``mean = sum(n_k mean_k) / n`` and ``m2 = sum(m2_k + n_k (mean_k - mean)**2)``, so
    ``d mean / d mean_k = n_k / n``, ``d m2 / d m2_k = 1`` and ``d m2 / d mean_k = 2 n_k (mean_k - mean)``.
    """

    @staticmethod
    def forward(ctx: Any, message: torch.Tensor, across: Across, mark: float, shape: tuple[int, ...]) -> torch.Tensor:
        merged = unpack(xp, across.gather(message.detach(), mark), shape)
        packed = pack(xp, merged)
        ctx.across, ctx.size = across, math.prod(shape)
        ctx.save_for_backward(message.detach(), packed)
        return packed

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        message, merged = ctx.saved_tensors
        size = ctx.size
        total = ctx.across.total(gradient[: 2 * size].clone())
        d_mean, d_m2 = total[:size], total[size:]
        count, all_counts = message[2 * size :], merged[2 * size :]
        share = count / torch.where(all_counts > 0, all_counts, torch.ones_like(all_counts))
        moved = 2.0 * count * (message[:size] - merged[:size])
        result = torch.cat([share * d_mean + moved * d_m2, d_m2, torch.zeros_like(count)])
        return result, None, None, None
