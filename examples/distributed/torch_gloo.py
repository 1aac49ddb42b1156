"""Data-parallel training on PyTorch with torch.distributed: autograd goes through the collective."""

import os
import sys
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from rings import BATCH, HIDDEN, RATE, batches, shard, weights

import anybn
from anybn.sync.torch import Across


def train(rank, size, store):
    """Run one process; rank 0 prints the losses."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    mine, reduce = shard(rank, size), Across()
    first, second, bias = (torch.tensor(w, requires_grad=True) for w in weights())
    params, state = anybn.init(HIDDEN, xp=torch)
    learned = [first, second, bias, *(p.requires_grad_() for p in params)]
    for x, label in batches():
        hidden = torch.tensor(x[mine]) @ first
        normal, state = anybn.batch_norm(hidden, params, state, training=True, reduce=reduce)
        logits = torch.relu(normal) @ second + bias
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(label[mine]), reduction="sum") / BATCH
        loss.backward()
        with torch.no_grad():
            for weight in learned:
                dist.all_reduce(weight.grad)  # the sum: each process has divided by the whole batch
                weight -= RATE * weight.grad
                weight.grad = None
        total = loss.detach()
        dist.all_reduce(total)
        if rank == 0:
            print(f"{float(total):.6f}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(train, (processes, os.path.join(folder, "store")), processes)
