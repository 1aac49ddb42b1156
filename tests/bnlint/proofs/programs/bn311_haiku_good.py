"""Haiku: the new state of a training step."""

import haiku as hk
import jax
import numpy as np


def forward(x, is_training):
    return hk.Linear(1)(hk.BatchNorm(True, True, 0.9)(x, is_training))


net = hk.transform_with_state(forward)
x = np.random.default_rng(0).normal(5, 3, (128, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


def loss_fn(params, state):
    out, state = net.apply(params, state, None, x, is_training=True)
    return ((out - y) ** 2).mean(), state


@jax.jit
def step(params, state):
    grads, state = jax.grad(loss_fn, has_aux=True)(params, state)
    return jax.tree.map(lambda p, g: p - 0.01 * g, params, grads), state


def measure():
    """How many steps the running statistics have seen."""
    params, state = net.init(jax.random.key(0), x[:1], is_training=True)
    start = int(state["batch_norm/~/mean_ema"]["counter"])
    for _ in range(20):
        params, state = step(params, state)
    return {"steps": int(state["batch_norm/~/mean_ema"]["counter"]) - start}
