"""`Across`: a named axis of JAX, under shard_map, pmap or vmap; differentiable by JAX itself."""

from collections.abc import Hashable

import jax
import jax.numpy as xp

from anybn._typing import Array
from anybn.state import Moments
from anybn.sync.message import pack, unpack


class Across:
    """Merges moments over a named axis; give it to ``reduce=``.

    Parameters
    ----------
    axis_name : hashable, or tuple of them
        As ``jax.lax.psum`` takes it.
    """

    def __init__(self, axis_name: Hashable) -> None:
        self.axis_name = axis_name

    def __call__(self, moments: Moments) -> Moments:
        """Return the moments of all shards' values together, the same on every shard."""
        rows = jax.lax.all_gather(pack(xp, moments), self.axis_name)
        length = rows.shape[-1]
        rows = xp.reshape(rows, (-1, length))
        return unpack(xp, [rows[k] for k in range(rows.shape[0])], tuple(moments.mean.shape))

    def total(self, *sums: Array) -> tuple[Array, ...]:
        """Return the sums added up over all shards: what an explicit backward pass needs."""
        packed = jax.lax.psum(xp.concat([xp.reshape(one, (-1,)) for one in sums]), self.axis_name)
        parts = xp.split(packed, [sum(one.size for one in sums[: k + 1]) for k in range(len(sums) - 1)])
        return tuple(xp.reshape(part, one.shape) for part, one in zip(parts, sums, strict=True))
