"""One rank of the MPI check, on NumPy with the explicit backward pass."""

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI
from workload import CASES, work

import anybn
from anybn.sync.mpi import Across

rank, size, out = MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size(), sys.argv[1]
reduce = Across()
found: dict[str, np.ndarray] = {}
for channels, masked in CASES:
    todo = work(size, channels, masked=masked)
    x, dy, mask = todo.shard(rank)
    params = anybn.Params(todo.scale, todo.offset)
    state = anybn.RunningStats(np.zeros(channels, np.float32), np.ones(channels, np.float32))
    y, new = anybn.batch_norm(x, params, state, training=True, mask=mask, reduce=reduce)
    back = anybn.batch_norm_backward(dy, x, params, state, training=True, mask=mask, reduce=reduce)
    arrays = {"y": y, "dx": back.x, "dscale": back.scale, "doffset": back.offset, "mean": new.mean, "var": new.var}
    found |= {f"{channels}-{masked}-{name}": array for name, array in arrays.items()}
np.savez(Path(out) / f"{rank}.npz", **found)
