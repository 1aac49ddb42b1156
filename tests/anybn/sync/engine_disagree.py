"""Processes that do not agree, or of which one is missing: each prints what it is told."""

import datetime
import os
import signal
import sys

import torch
import torch.distributed as dist

import anybn
from anybn.sync.torch import Across

rank, size, store, what = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
limit = datetime.timedelta(seconds=8)
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size, timeout=limit)
channels = 4 if what == "channels" and rank == 1 else 3
dtype = torch.float64 if what == "dtype" and rank == 1 else torch.float32
reduce = Across()
if what in {"later", "killed"}:
    anybn.batch_norm(torch.randn(5, 3), training=True, reduce=reduce)
    channels = 4 if what == "later" and rank == 1 else 3
if what == "missing" and rank == 1:
    sys.exit(0)
if what == "killed" and rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
try:
    x = torch.randn(5, channels, dtype=dtype, requires_grad=True)
    y, _ = anybn.batch_norm(x, training=True, reduce=reduce)
    if what == "killed_before_backward" and rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    y.sum().backward()
except anybn.SyncError as error:
    print(type(error).__name__, error, flush=True)
    # Not sys.exit: torch's own threads may abort an interpreter that ends after a failed or unfinished group.
    os._exit(3)
