"""Equinox: the new state of a training step."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


class Net(eqx.Module):
    norm: eqx.nn.BatchNorm
    out: eqx.nn.Linear

    def __init__(self, key):
        self.norm = eqx.nn.BatchNorm(4, axis_name="batch", mode="batch")
        self.out = eqx.nn.Linear(4, 1, key=key)

    def __call__(self, x, state):
        x, state = self.norm(x, state)
        return self.out(x), state


x = np.random.default_rng(0).normal(5, 3, (128, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


def loss_fn(model, state, x, y):
    out, state = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)
    return jnp.mean((out - y) ** 2), state


@eqx.filter_jit
def step(model, state, x, y):
    (_, state), grads = eqx.filter_value_and_grad(loss_fn, has_aux=True)(model, state, x, y)
    return eqx.apply_updates(model, jax.tree.map(lambda g: -0.01 * g, grads)), state


def measure():
    """How far the running mean is from its start."""
    model, state = eqx.nn.make_with_state(Net)(jax.random.key(0))
    for _ in range(50):
        model, state = step(model, state, x, y)
    leaves = [np.abs(leaf).max() for leaf in jax.tree.leaves(state) if np.ndim(leaf)]
    return {"moved": max(leaf if leaf != 1 else 0 for leaf in leaves)}
