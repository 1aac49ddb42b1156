"""The recipe of docs/scaling.md on Ray, with a worker that dies the first time it is asked: Ray asks again."""

import os
import signal
import sys
from functools import reduce
from pathlib import Path

import numpy as np
import ray

import anybn

died = Path(sys.argv[1])


@ray.remote(max_retries=2)
def moments_or_die(part):
    """Moments; the worker that gets the longest part is killed once."""
    if len(part) == 103 and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return anybn.moments(part)


parts = [np.random.default_rng(k).normal(5, 2, (100 + k, 3)) for k in range(4)]
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
total = reduce(anybn.merge, ray.get([ray.remote(anybn.moments).remote(part) for part in parts]))
again = reduce(anybn.merge, ray.get([moments_or_die.remote(part) for part in parts]))
ray.shutdown()
assert died.exists()
for found in (total, again):
    stats = anybn.recalibrate([found])
    np.testing.assert_allclose(stats.mean, np.concatenate(parts).mean(0), rtol=1e-14)
    np.testing.assert_allclose(stats.var, np.concatenate(parts).var(0), rtol=1e-13)
print("same")
