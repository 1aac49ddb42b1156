"""Two linen blocks; the network is told its mode."""

import jax
import numpy as np
from flax import linen as nn


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool = False):
        return nn.BatchNorm(use_running_average=not train, momentum=0.9)(nn.Dense(4)(x))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = Block()(x, train=train)
        return Block()(x, train=train)


net = Net()
x = np.random.default_rng(0).normal(5, 3, (128, 4)).astype("float32")


def measure():
    """How far training moves the variance of either block from its start, 1."""
    variables = net.init(jax.random.key(0), x, train=True)
    for _ in range(20):
        _, updates = net.apply(variables, x, train=True, mutable=["batch_stats"])
        variables = {**variables, **updates}
    stats = variables["batch_stats"]
    return {
        "first": abs(stats["Block_0"]["BatchNorm_0"]["var"] - 1).max(),
        "second": abs(stats["Block_1"]["BatchNorm_0"]["var"] - 1).max(),
    }
