"""The recipe of docs/scaling.md on Spark, with a worker that dies the first time it is asked: Spark asks again."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
from pyspark import SparkConf, SparkContext

import anybn

died = sys.argv[1]


def moments_or_die(part):
    """Moments; the worker that gets the longest part is killed once."""
    if len(part) == 103 and not Path(died).exists():
        Path(died).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return anybn.moments(part)


parts = [np.random.default_rng(k).normal(5, 2, (100 + k, 3)) for k in range(4)]
settings = SparkConf().set("spark.ui.enabled", "false").set("spark.driver.bindAddress", "127.0.0.1")
with SparkContext("local[2, 4]", "moments", conf=settings) as context:
    total = context.parallelize(parts, 4).map(anybn.moments).treeReduce(anybn.merge)
    again = context.parallelize(parts, 4).map(moments_or_die).treeReduce(anybn.merge)
assert Path(died).exists()
for found in (total, again):
    stats = anybn.recalibrate([found])
    np.testing.assert_allclose(stats.mean, np.concatenate(parts).mean(0), rtol=1e-14)
    np.testing.assert_allclose(stats.var, np.concatenate(parts).var(0), rtol=1e-13)
print("same")
