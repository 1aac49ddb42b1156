"""One process of the comparison with torch's SyncBatchNorm: both on the same shards, and what each of them sends."""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch_sync_kernels  # noqa: F401 - gives SyncBatchNorm its CPU kernels
from test_collectives import Collectives
from torch.nn.modules._functions import SyncBatchNorm
from workload import work

import anybn
from anybn.sync.torch import Across

rank, size, store, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
reduce = Across()
found: dict[str, np.ndarray] = {}
# Per channel a spread from 1 down to 1e-5: 1 / sqrt(var + eps) holds less and less of the variance.
SCALES = 10.0 ** -np.arange(6)
todo = work(size, 6, "plain", mean=0.0)
own_x, own_dy, _ = todo.shard(rank)
own_x = (own_x * SCALES.reshape(1, -1, 1, 1)).astype(np.float32)


def ready():
    """Leaves of autograd, and running statistics."""
    x = torch.tensor(own_x, requires_grad=True)
    scale, offset = (torch.tensor(one, requires_grad=True) for one in (todo.scale, todo.offset))
    return x, scale, offset, torch.zeros(6), torch.zeros(6)  # so that the running variance is a tenth of the batch's


def theirs():
    x, scale, offset, mean, var = ready()
    y = SyncBatchNorm.apply(x, scale, offset, mean, var, 1e-5, 0.1, dist.group.WORLD, size)
    return x, scale, offset, mean, var, y


def ours():
    x, scale, offset, mean, var = ready()
    y, new = anybn.batch_norm(
        x, anybn.Params(scale, offset), anybn.RunningStats(mean, var), training=True, reduce=reduce
    )
    return x, scale, offset, new.mean, new.var, y


ours()  # the processes have agreed
for name, run in (("theirs", theirs), ("ours", ours)):
    with Collectives() as forward:
        x, scale, offset, mean, var, y = run()
    with Collectives() as backward:
        y.backward(torch.tensor(own_dy))
    sent = [size for _, size in (*forward.seen, *backward.seen)]
    # None is how torch's empty shard says zero
    gradients = {"dx": x, "dscale": scale, "doffset": offset}
    arrays = {key: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for key, leaf in gradients.items()}
    arrays |= {"y": y, "mean": mean, "var": var, "sent": torch.tensor(sent)}
    found |= {f"{name}-{key}": array.detach().numpy() for key, array in arrays.items()}
np.savez(Path(out) / f"{rank}.npz", x=own_x, **found)
dist.destroy_process_group()
