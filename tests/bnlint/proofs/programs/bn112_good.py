"""An nnx program that trains and evaluates."""

import numpy as np
import optax
from flax import nnx


class Net(nnx.Module):
    def __init__(self, rngs):
        self.norm = nnx.BatchNorm(4, momentum=0.9, rngs=rngs)
        self.out = nnx.Linear(4, 1, rngs=rngs)

    def __call__(self, x):
        return self.out(self.norm(x))


def loss_fn(model, x, y):
    return ((model(x) - y) ** 2).mean()


@nnx.jit
def train_step(model, optimizer, x, y):
    optimizer.update(model, nnx.grad(loss_fn)(model, x, y))


@nnx.jit
def eval_step(model, x):
    return model(x)


x = np.random.default_rng(0).normal(5, 3, (64, 4)).astype("float32")
model = Net(nnx.Rngs(0))
optimizer = nnx.Optimizer(model, optax.sgd(0.01), wrt=nnx.Param)


def measure():
    """How much a prediction depends on the rest of its batch, and how far evaluation moves the statistics."""
    for _ in range(20):
        train_step(model, optimizer, x, x.sum(axis=1, keepdims=True))
    model.eval()
    before = np.asarray(model.norm.mean[...])
    alone, together = eval_step(model, x[:2]), eval_step(model, x)[:2]
    drift = np.abs(np.asarray(model.norm.mean[...]) - before).max()
    return {"depends": np.abs(np.asarray(alone - together)).max(), "drift": drift}
