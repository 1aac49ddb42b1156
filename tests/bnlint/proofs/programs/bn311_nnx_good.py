"""nnx under plain jax.jit: what is split must come back."""

import jax
import numpy as np
from flax import nnx


class Net(nnx.Module):
    def __init__(self, rngs):
        self.norm = nnx.BatchNorm(4, momentum=0.9, rngs=rngs)
        self.out = nnx.Linear(4, 1, rngs=rngs)

    def __call__(self, x):
        return self.out(self.norm(x))


x = np.random.default_rng(0).normal(5, 3, (128, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
net = Net(nnx.Rngs(0))
graphdef, state = nnx.split(net)


def loss_fn(model):
    return ((model(x) - y) ** 2).mean()


@jax.jit
def train_step(state):
    model = nnx.merge(graphdef, state)
    loss, grads = nnx.value_and_grad(loss_fn)(model)
    nnx.update(model, jax.tree.map(lambda p, g: p - 0.01 * g, nnx.state(model, nnx.Param), grads))
    return loss, nnx.state(model)


def measure():
    """How far the running mean has moved."""
    current = state
    for _ in range(20):
        _, current = train_step(current)
    return {"moved": abs(nnx.merge(graphdef, current).norm.mean[...]).max()}
