"""MPI ranks that do not agree, or of which one fails: run with ``python -m mpi4py``, so that one exception ends all."""

import os
import signal
import sys

import numpy as np
from mpi4py import MPI

import anybn
from anybn.sync.mpi import Across

rank, what = MPI.COMM_WORLD.Get_rank(), sys.argv[1]
reduce = Across(timeout=4.0 if what == "missing" else 60.0)
other = rank == 1
channels = 4 if other and what in {"channels", "later", "weights"} else 3
# 3 channels with weights and 4 without are 9 numbers both
options = {"weights": np.ones(5, np.float32)} if what == "weights" and not other else {}
if what == "later":
    anybn.batch_norm(np.ones((5, 3), np.float32), training=True, reduce=reduce)
if what == "raises" and other:
    raise RuntimeError("no more data")
if what == "gone" and other:
    os.kill(os.getpid(), signal.SIGKILL)
if what == "missing" and other:
    sys.exit(0)
dtype = np.float64 if what == "dtype" and other else np.float32
anybn.batch_norm(np.ones((5, channels), dtype), training=True, reduce=reduce, **options)
print("went on", flush=True)
