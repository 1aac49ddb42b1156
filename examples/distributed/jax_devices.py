"""Data-parallel training on JAX: shard_map over devices, here virtual ones of the CPU."""

import os
import sys

devices = int(sys.argv[1]) if len(sys.argv) > 1 else 4
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={devices}")

import jax  # noqa: E402 - after the flags
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.sharding import Mesh  # noqa: E402
from jax.sharding import PartitionSpec as P  # noqa: E402
from rings import BATCH, HIDDEN, RATE, batches, weights  # noqa: E402

import anybn  # noqa: E402
from anybn.sync.jax import Across  # noqa: E402

mesh = Mesh(np.array(jax.devices()[:devices]), ("data",))
reduce = Across("data")


def loss_of(learned, state, x, label):
    """This shard's part of the loss, and the new statistics."""
    first, second, bias, params = learned
    normal, state = anybn.batch_norm(x @ first, params, state, training=True, reduce=reduce)
    log_p = jax.nn.log_softmax(jax.nn.relu(normal) @ second + bias)
    return -jnp.take_along_axis(log_p, label[:, None], 1).sum() / BATCH, state


def step(learned, state, x, label):
    """One step of gradient descent, the same on every device."""
    (loss, state), gradient = jax.value_and_grad(loss_of, has_aux=True)(learned, state, x, label)
    gradient = jax.lax.psum(gradient, "data")
    return jax.tree.map(lambda w, g: w - RATE * g, learned, gradient), state, jax.lax.psum(loss, "data")


parallel = jax.jit(
    jax.shard_map(step, mesh=mesh, in_specs=(P(), P(), P("data"), P("data")), out_specs=P(), check_vma=False)
)
params, state = anybn.init(HIDDEN, xp=jnp)
state = state._replace(steps=jnp.asarray(0), skipped=jnp.asarray(0))
learned = (*(jnp.asarray(w) for w in weights()), params)
for x, label in batches():
    learned, state, loss = parallel(learned, state, jnp.asarray(x), jnp.asarray(label))
    print(f"{float(loss):.6f}", flush=True)
