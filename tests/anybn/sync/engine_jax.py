"""Four virtual CPU devices of JAX: shard_map over uneven work, made even by masks (JAX shards are of one size)."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

import anybn
from anybn.sync.jax import Across

assert jax.device_count() == 4
mesh = Mesh(np.array(jax.devices()), ("data",))
rng = np.random.default_rng(0)
found: dict[str, np.ndarray] = {}
for channels in (1, 3, 4097):
    x = jnp.asarray((rng.standard_normal((12, channels, 2)) + 3).astype(np.float32))
    dy = jnp.asarray(rng.standard_normal(x.shape).astype(np.float32))
    mask = jnp.asarray(np.arange(12) % 3 > 0) & (jnp.arange(12) >= 3)  # the first device has nothing at all
    params = anybn.Params(*(jnp.asarray(rng.standard_normal(channels).astype(np.float32)) for _ in range(2)))
    state = anybn.RunningStats(jnp.zeros(channels), jnp.ones(channels), jnp.asarray(0))

    def step(x, mask=mask, reduce=None, params=params, state=state):
        return anybn.batch_norm(x, params, state, training=True, mask=mask, reduce=reduce)

    def sharded(x, mask, step=step):
        return step(x, mask, Across("data"))

    shards = jax.jit(
        jax.shard_map(sharded, mesh=mesh, in_specs=(P("data"), P("data")), out_specs=(P("data"), P()), check_vma=False)
    )
    y, pull, new = jax.vjp(lambda x, shards=shards, mask=mask: shards(x, mask), x, has_aux=True)
    one_y, one_pull, one_new = jax.vjp(step, x, has_aux=True)
    pairs = {"y": (y, one_y), "dx": (pull(dy)[0], one_pull(dy)[0])}
    pairs |= {"mean": (new.mean, one_new.mean), "var": (new.var, one_new.var)}
    for name, (many, one) in pairs.items():
        found[f"{channels}-{name}"] = np.asarray(jnp.max(jnp.abs(many - one)) / jnp.maximum(1, jnp.max(jnp.abs(one))))
np.savez(sys.argv[1], **found)
