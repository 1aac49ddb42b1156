"""Processes that do not agree, or of which one is missing: each prints what it is told."""

import datetime
import os
import sys

import torch
import torch.distributed as dist

import anybn
from anybn.sync.torch import Across

rank, size, store, what = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
limit = datetime.timedelta(seconds=8)
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size, timeout=limit)
channels = 4 if what == "channels" and rank == 1 else 3
reduce = Across()
if what == "later":
    anybn.batch_norm(torch.randn(5, 3), training=True, reduce=reduce)
    channels = 4 if rank == 1 else 3
if what == "missing" and rank == 1:
    sys.exit(0)
try:
    anybn.batch_norm(torch.randn(5, channels), training=True, reduce=reduce)
except anybn.AnybnError as error:
    print(type(error).__name__, error, flush=True)
    # Not sys.exit: torch's own threads may abort an interpreter that ends after a failed or unfinished group.
    os._exit(3)
