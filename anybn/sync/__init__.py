"""One batch norm over several processes: reducers of `Moments` over engines that already exist.

No transport of our own: moments merge exactly, so any engine that can gather a few numbers is enough. A reducer is
given to ``reduce=`` of `anybn.batch_norm` and `anybn.batch_norm_backward`:

=====================  =============================================================  =====================
engine                 reducer                                                        arrays
=====================  =============================================================  =====================
torch.distributed      ``anybn.sync.torch.Across(group=None)`` (gloo, NCCL, …)        torch, with autograd
MPI                    ``anybn.sync.mpi.Across(communicator)`` (mpi4py, buffers)      NumPy, CuPy
JAX                    ``anybn.sync.jax.Across(axis_name)`` (shard_map, pmap, vmap)   JAX, with autodiff
CuPy's NCCL            ``anybn.sync.nccl.Across(communicator)``                       CuPy
=====================  =============================================================  =====================

Each forward pass sends one message of 2 C + 1 numbers (and one more that proves it whole), each backward pass one: of
2 C numbers under autograd, which keeps the merged moments, and of 4 C + 1 where `anybn.batch_norm_backward` is called,
which does not have them. Uneven and empty shards, masks and
weights are exact: what is merged is (count, mean, sum of squared deviations), by Chan's formula, never a mean of means.
Data sets that are larger than one machine's memory have `anybn.sync.dask.moments` and ``recalibrate``.
Importing this package imports no engine; its modules import theirs.
"""
