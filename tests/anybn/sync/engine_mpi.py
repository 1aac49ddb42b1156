"""One rank of the MPI check, on NumPy with the explicit backward pass; counts its messages."""

import sys
from pathlib import Path

import ml_dtypes
import numpy as np
from mpi4py import MPI
from workload import CASES, work

import anybn
from anybn.sync.mpi import Across


class Counting(MPI.Intracomm):
    """The world, which counts what goes through it."""

    messages = 0

    def Iallgather(self, sent, received):  # noqa: N802 - the name of mpi4py
        type(self).messages += 1
        return super().Iallgather(sent, received)


rank, size, out = MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size(), sys.argv[1]
reduce = Across(Counting(MPI.COMM_WORLD))
found: dict[str, np.ndarray] = {}
for channels, extra in CASES:
    todo = work(size, channels, extra)
    x, dy, options = todo.shard(rank)
    params = anybn.Params(todo.scale, todo.offset)
    state = anybn.RunningStats(np.zeros(channels, np.float32), np.ones(channels, np.float32))
    y, new = anybn.batch_norm(x, params, state, training=True, reduce=reduce, **options)
    back = anybn.batch_norm_backward(dy, x, params, state, training=True, reduce=reduce, **options)
    arrays = {"y": y, "dx": back.x, "dscale": back.scale, "doffset": back.offset, "mean": new.mean, "var": new.var}
    found |= {f"{channels}-{extra}-{name}": array for name, array in arrays.items()}
before = Counting.messages
anybn.batch_norm(x, params, state, training=True, reduce=reduce, **options)
anybn.batch_norm_backward(dy, x, params, state, training=True, reduce=reduce, **options)
found["messages"] = np.asarray(Counting.messages - before)
for dtype in (np.float16, ml_dtypes.bfloat16, np.float64):
    whole = np.random.default_rng(3).normal(5, 2, (3 * size, 7)).astype(dtype)
    mine = anybn.batch_norm(whole[3 * rank : 3 * rank + 3], training=True, reduce=reduce)[0]
    one = anybn.batch_norm(whole, training=True)[0][3 * rank : 3 * rank + 3]
    assert mine.dtype == one.dtype == dtype
    found[np.dtype(dtype).name] = np.abs(mine.astype(np.float64) - one.astype(np.float64)).max()
np.savez(Path(out) / f"{rank}.npz", **found)
