"""Data-parallel training on NumPy with MPI: anybn has the gradients, mpi4py carries the sums."""

import numpy as np
from mpi4py import MPI
from rings import BATCH, HIDDEN, RATE, batches, shard, weights

import anybn
from anybn.sync.mpi import Across

world = MPI.COMM_WORLD
mine = shard(world.Get_rank(), world.Get_size())
reduce = Across(world)


def over_all(array):
    """The sum over all ranks."""
    total = np.empty_like(array)
    world.Allreduce(np.ascontiguousarray(array), total)
    return total


first, second, bias = weights()
params, state = anybn.init(HIDDEN, xp=np)
for x, label in batches():
    x, label = x[mine], label[mine]
    hidden = x @ first
    normal, new_state = anybn.batch_norm(hidden, params, state, training=True, reduce=reduce)
    active = np.maximum(normal, 0)
    logits = active @ second + bias
    scores = logits - logits.max(1, keepdims=True)
    log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    own_loss = -log_p[np.arange(len(label)), label].sum(dtype=np.float64) / BATCH

    d_logits = (np.exp(log_p) - np.eye(2, dtype=np.float32)[label]) / np.float32(BATCH)
    d_normal = (d_logits @ second.T) * (normal > 0)
    back = anybn.batch_norm_backward(d_normal, hidden, params, state, training=True, reduce=reduce)
    first = first - RATE * over_all(x.T @ back.x)
    second = second - RATE * over_all(active.T @ d_logits)
    bias = bias - RATE * over_all(d_logits.sum(0))
    params = anybn.Params(params.scale - RATE * over_all(back.scale), params.offset - RATE * over_all(back.offset))
    state = new_state
    loss = over_all(np.array([own_loss]))[0]
    if world.Get_rank() == 0:
        print(f"{loss:.6f}", flush=True)
