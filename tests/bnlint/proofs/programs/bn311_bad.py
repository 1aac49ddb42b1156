"""Linen: a training step whose new statistics are the aux of its loss."""

import jax
import numpy as np
import optax
from flax import linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        return nn.Dense(1)(x)


net = Net()
optimizer = optax.sgd(0.01)
x = np.random.default_rng(0).normal(5, 3, (128, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


@jax.jit
def train_step(params, stats, opt_state):
    def loss_fn(params):
        out, updates = net.apply({"params": params, "batch_stats": stats}, x, train=True, mutable=["batch_stats"])
        return ((out - y) ** 2).mean(), updates

    (loss, updates), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
    deltas, opt_state = optimizer.update(grads, opt_state)
    return optax.apply_updates(params, deltas), stats, opt_state


def measure():
    """How far the running mean has moved, and the loss in evaluation."""
    variables = net.init(jax.random.key(0), x, train=True)
    params, stats = variables["params"], variables["batch_stats"]
    opt_state = optimizer.init(params)
    for _ in range(200):
        params, stats, opt_state = train_step(params, stats, opt_state)
    out = net.apply({"params": params, "batch_stats": stats}, x, train=False)
    return {"moved": abs(stats["BatchNorm_0"]["mean"]).max(), "loss": ((out - y) ** 2).mean()}
