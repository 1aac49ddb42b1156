"""Four virtual CPU devices of JAX: shard_map and pmap over uneven work, made even by masks (JAX shards are of one size)."""

import functools
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
reduce = Across("data")
rng = np.random.default_rng(0)
found: dict[str, np.ndarray] = {}


def mapped(step, checked):
    """step over the mesh, all arguments and the first two results cut; the statistics are the same everywhere."""
    specs = {"in_specs": P("data"), "out_specs": (P("data"), P("data"), P())}
    return jax.jit(jax.shard_map(step, mesh=mesh, check_vma=checked, **specs))


def by_pmap(step):
    """The same with pmap, which wants an axis of four."""

    def run(*arguments):
        cut = [one.reshape(4, 3, *one.shape[1:]) for one in arguments]
        y, dx, stats = jax.pmap(step, axis_name="data")(*cut)
        return y.reshape(12, *y.shape[2:]), dx.reshape(12, *dx.shape[2:]), jax.tree.map(lambda one: one[3], stats)

    return run


for channels in (1, 3, 4097):
    x = jnp.asarray((rng.standard_normal((12, channels, 2)) + 3).astype(np.float32))
    dy = jnp.asarray(rng.standard_normal(x.shape).astype(np.float32))
    seen = (jnp.arange(12) % 3 > 0) & (jnp.arange(12) >= 3)  # the first device has nothing at all
    some = {"plain": (), "mask": (seen,), "weights": (seen * jnp.asarray(rng.uniform(0.5, 3, 12).astype(np.float32)),)}
    params = anybn.Params(*(jnp.asarray(rng.standard_normal(channels).astype(np.float32)) for _ in range(2)))
    state = anybn.RunningStats(jnp.zeros(channels), jnp.ones(channels), jnp.asarray(0))
    for extra, arrays in some.items():

        def step(dy, x, *given, reduce=reduce, extra=extra, params=params, state=state):
            options = dict(zip((extra,), given, strict=False))
            y, new = anybn.batch_norm(x, params, state, training=True, reduce=reduce, **options)
            dx = anybn.batch_norm_backward(dy, x, params, state, training=True, reduce=reduce, **options).x
            return y, dx, (new.mean, new.var)

        def differentiated(run, dy=dy, x=x, arrays=arrays):
            """y, both gradients and the statistics, compiled as a whole."""

            def whole(x):
                (y, explicit, stats), pull = jax.vjp(lambda x: run(dy, x, *arrays), x)
                zeros = jax.tree.map(jnp.zeros_like, (explicit, stats))
                return y, explicit, pull((dy, *zeros))[0], *stats

            return jax.jit(whole)(x)

        ways = {"checked": mapped(step, True)}
        if channels == 3:
            ways |= {"unchecked": mapped(step, False), "pmap": by_pmap(step)}
        expected = differentiated(functools.partial(step, reduce=None))
        for way, many in ways.items():
            names = ("y", "explicit", "dx", "mean", "var")
            for name, a, b in zip(names, differentiated(many), expected, strict=True):
                far = jnp.max(jnp.abs(a - b)) / jnp.maximum(1, jnp.max(jnp.abs(b)))
                found[f"{channels}-{extra}-{way}-{name}"] = np.asarray(far)

for way in ("checked", "unchecked"):
    shards = jax.shard_map(
        lambda x: anybn.batch_norm(x, training=True, reduce=reduce)[0],
        mesh=mesh, in_specs=P("data"), out_specs=P("data"), check_vma=way == "checked",
    )  # fmt: skip
    directions = {"forward": shards, "backward": jax.grad(lambda x, shards=shards: (shards(x) ** 3).sum())}
    for name, function in directions.items():
        found[f"program-{way}-{name}"] = np.asarray(jax.jit(function).lower(x).compile().as_text())
np.savez(sys.argv[1], **found)
