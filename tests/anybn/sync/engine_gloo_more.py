"""What else torch's users do, in four processes: groups of some, second derivatives, gradients of weights, 16 bits, DDP."""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import anybn
from anybn.sync.torch import Across

rank, size, store, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
every = [torch.tensor(np.random.default_rng(k).normal(k, 1 + k, (3 + k, 5)).astype(np.float32)) for k in range(size)]
every_weights = [
    torch.tensor(np.random.default_rng(9 + k).uniform(0.5, 2, 3 + k).astype(np.float32)) for k in range(size)
]
reduce = Across()
found: dict[str, torch.Tensor] = {}


def differences(name: str, mine: torch.Tensor, whole: torch.Tensor, ranks: list[int]) -> None:
    """Note how far this process' rows are from those of one process that has the rows of all these ranks."""
    rows = torch.split(whole, [3 + k for k in ranks])[ranks.index(rank)]
    found[name] = (mine.detach().double() - rows.detach().double()).abs().max() / whole.detach().double().abs().max()


def penalty(x: torch.Tensor, reduce: Across | None) -> torch.Tensor:
    """The gradient for x of a penalty on a gradient for x: two derivatives through the merge."""
    x = x.double().requires_grad_()
    y = anybn.batch_norm(x, training=True, reduce=reduce)[0]
    (first,) = torch.autograd.grad((y**3).sum(), x, create_graph=True)
    return torch.autograd.grad((first**2).sum(), x)[0]


def of_weights(x: torch.Tensor, weights: torch.Tensor, reduce: Across | None) -> tuple[torch.Tensor, ...]:
    """Gradients for x and for the weights."""
    x, weights = x.clone().requires_grad_(), weights.clone().requires_grad_()
    y, _ = anybn.batch_norm(x, training=True, weights=weights, reduce=reduce)
    return torch.autograd.grad((y**3).sum(), (x, weights))


# Two groups that know nothing of each other, each over every second process
members = [[0, 2], [1, 3]]
groups = [dist.new_group(ranks) for ranks in members]
ranks = members[rank % 2]
some = torch.cat([every[k] for k in ranks])
y = anybn.batch_norm(every[rank], training=True, reduce=Across(groups[rank % 2]))[0]
differences("group", y, anybn.batch_norm(some, training=True)[0], ranks)
try:
    anybn.batch_norm(every[rank], training=True, reduce=Across(groups[1 - rank % 2]))
except anybn.SyncError as error:
    found["stranger"] = torch.tensor("not in the group" in str(error))

everybody, whole, whole_weights = list(range(size)), torch.cat(every), torch.cat(every_weights)
differences("second", penalty(every[rank], reduce), penalty(whole, None), everybody)
pairs = zip(of_weights(every[rank], every_weights[rank], reduce), of_weights(whole, whole_weights, None), strict=True)
for name, (mine, one) in zip(("weighted dx", "weights"), pairs, strict=True):
    differences(name, mine, one, everybody)

# The explicit backward pass, differentiated once more
cosines = torch.cos(torch.arange(whole.numel(), dtype=torch.float64)).reshape(whole.shape)


def explicit(dy: torch.Tensor, x: torch.Tensor, reduce: Across | None) -> torch.Tensor:
    x = x.double().requires_grad_()
    dx = anybn.batch_norm_backward(dy, x, training=True, reduce=reduce).x
    return torch.autograd.grad((dx**3).sum(), x)[0]


own_dy = torch.split(cosines, [len(rows) for rows in every])[rank]
differences("explicit", explicit(own_dy, every[rank], reduce), explicit(cosines, whole, None), everybody)

for dtype in (torch.bfloat16, torch.float16, torch.float64):
    mine = anybn.batch_norm(every[rank].to(dtype), training=True, reduce=reduce)[0]
    one = anybn.batch_norm(whole.to(dtype), training=True)[0]
    assert mine.dtype == one.dtype == dtype
    differences(str(dtype), mine, one, everybody)


class Net(torch.nn.Module):
    """An affine layer and a shared batch norm."""

    def __init__(self, reduce: Across | None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(5, 4)
        self.scale, self.offset = torch.nn.Parameter(torch.ones(4)), torch.nn.Parameter(torch.zeros(4))
        self.reduce = reduce

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return anybn.batch_norm(
            self.first(x), anybn.Params(self.scale, self.offset), training=True, reduce=self.reduce
        )[0]


# DistributedDataParallel averages over processes: with shards of one size that is the gradient of the whole batch's mean loss
parallel, alone = DistributedDataParallel(Net(Across())), Net(None)
even = torch.stack([rows[:3] for rows in every])
(parallel(even[rank]) ** 3).mean().backward()
(alone(even.reshape(-1, 5)) ** 3).mean().backward()
for (name, one), other in zip(alone.named_parameters(), parallel.parameters(), strict=True):
    found[f"DDP {name}"] = (one.grad - other.grad).abs().max()

np.savez(Path(out) / f"{rank}.npz", **{name: value.numpy() for name, value in found.items()})
dist.destroy_process_group()
