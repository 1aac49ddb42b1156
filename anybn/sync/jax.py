"""`Across`: a named axis of JAX, under shard_map, pmap or vmap; differentiable by JAX itself."""

from collections.abc import Hashable

import jax
import jax.numpy as xp

from anybn._typing import Array
from anybn.core.merge import Joint
from anybn.state import Moments
from anybn.sync.message import pack, unpack, unpack_joint


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
        return unpack(xp, self._gathered(pack(xp, moments)), tuple(moments.mean.shape))

    def joint(self, moments: Moments, dy: Array, dy_d: Array) -> Joint:
        """Return the moments and sums of an explicit backward pass, merged over all shards."""
        return unpack_joint(xp, self._gathered(pack(xp, moments, dy, dy_d)), tuple(moments.mean.shape))

    def _gathered(self, message: Array) -> list[Array]:
        rows = jax.lax.all_gather(message, self.axis_name)
        rows = xp.reshape(rows, (-1, message.shape[0]))  # several axis names make several leading axes
        return [rows[k] for k in range(rows.shape[0])]
