"""One process of the gloo check: its shard's y, gradients and running statistics go into a file."""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from workload import CASES, work

import anybn
from anybn.sync.torch import Across

rank, size, store, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
reduce = Across()
found: dict[str, np.ndarray] = {}
for channels, extra in CASES:
    todo = work(size, channels, extra)
    own_x, own_dy, own_options = todo.shard(rank)
    x = torch.tensor(own_x, requires_grad=True)
    params = anybn.Params(*(torch.tensor(p, requires_grad=True) for p in (todo.scale, todo.offset)))
    options = {name: torch.tensor(value) for name, value in own_options.items()}
    state = anybn.RunningStats(torch.zeros(channels), torch.ones(channels))
    y, new = anybn.batch_norm(x, params, state, training=True, reduce=reduce, **options)
    y.backward(torch.tensor(own_dy))
    constant = anybn.Params(*(p.detach() for p in params))
    back = anybn.batch_norm_backward(
        torch.tensor(own_dy), x.detach(), constant, state, training=True, reduce=reduce, **options
    )
    key = f"{channels}-{extra}"
    arrays = {"y": y, "dx": x.grad, "dscale": params.scale.grad, "doffset": params.offset.grad}
    arrays |= {"explicit": back.x}
    arrays |= {"mean": new.mean, "var": new.var}
    found |= {f"{key}-{name}": array.detach().numpy() for name, array in arrays.items()}
np.savez(Path(out) / f"{rank}.npz", **found)
dist.destroy_process_group()
