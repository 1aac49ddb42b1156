"""`Across`: a named axis of JAX, under shard_map, pmap or vmap; differentiable by JAX itself."""

import inspect
from collections.abc import Hashable
from typing import Any

import jax
import jax.numpy as xp

from anybn._typing import Array
from anybn.core.merge import Joint
from anybn.errors import SyncError, explain
from anybn.state import Moments
from anybn.sync.message import check_library, pack, unpack, unpack_joint

# What everybody has gathered is the same everywhere; JAX only believes it (as shard_map's out_specs want) if it is told.
_CAN_SAY_SAME = "to" in inspect.signature(jax.lax.all_gather).parameters


class Across:
    """Merges moments over a named axis; give it to ``reduce=``.

    Parameters
    ----------
    axis_name : hashable, or tuple of them
        As ``jax.lax.psum`` takes it.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, anybn
    >>> from anybn.sync.jax import Across
    >>> step = lambda x: anybn.batch_norm(x, training=True, eps=0.0, reduce=Across("shards"))[0]
    >>> jax.vmap(step, axis_name="shards")(jnp.asarray([[[1.0]], [[3.0]]])).ravel().tolist()
    [-1.0, 1.0]
    """

    def __init__(self, axis_name: Hashable) -> None:
        self.axis_name = axis_name

    def __call__(self, moments: Moments) -> Moments:
        """Return the moments of all shards' values together, the same on every shard."""
        check_library(moments, ("jax",), "a named axis of JAX")
        return unpack(xp, self._gathered(pack(xp, moments)), tuple(moments.mean.shape))

    def joint(self, moments: Moments, dy: Array, dy_d: Array) -> Joint:
        """Return the moments and sums of an explicit backward pass, merged over all shards."""
        check_library(moments, ("jax",), "a named axis of JAX")
        return unpack_joint(xp, self._gathered(pack(xp, moments, dy, dy_d)), tuple(moments.mean.shape))

    def _gathered(self, message: Array) -> list[Array]:
        try:
            rows = jax.lax.all_gather(message, self.axis_name, **self._same(message))
        except NameError as error:
            raise SyncError(
                explain(
                    "there is no axis to merge over",
                    got=f"axis_name {self.axis_name!r} outside of any transformation that names it",
                    expected="a call inside of jax.shard_map, jax.pmap or jax.vmap with that name",
                    hint=f"jax.vmap(..., axis_name={self.axis_name!r}), or reduce=None on one device",
                )
            ) from error
        rows = xp.reshape(rows, (-1, message.shape[0]))  # several axis names make several leading axes
        return [rows[k] for k in range(rows.shape[0])]

    def _same(self, message: Array) -> dict[str, Any]:
        names = self.axis_name if isinstance(self.axis_name, tuple) else (self.axis_name,)
        return {"to": "invarying"} if _CAN_SAY_SAME and _varies(message).issuperset(names) else {}


def _varies(message: Array) -> frozenset[Hashable]:
    """Return the axes over which JAX knows that the message varies: none unless shard_map checks that."""
    kind = jax.typeof(message)
    checked = getattr(kind, "manual_axis_type", None)
    found: frozenset[Hashable] = getattr(kind, "vma", frozenset()) if checked is None else checked.varying
    return found
