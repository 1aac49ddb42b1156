"""PyTorch: ``nn.BatchNorm1d``, ``2d``, ``3d`` and ``SyncBatchNorm`` by their ``state_dict``.

``momentum`` is the weight of the NEW value, or None for the cumulative average; the running variance is unbiased.
"""

from collections.abc import Collection, Mapping
from typing import Any

from anybn.convert._flat import Names, frozen_names, join, read, write
from anybn.convert._record import (
    Exported,
    Snapshot,
    carry,
    channels,
    completed,
    decay_of,
    known_arguments,
    momentum_of,
    scalar,
)
from anybn.namespace import of
from anybn.semantics import PRESETS

TITLE = "torch.nn.BatchNorm"
NAMES = Names("weight", "bias", "running_mean", "running_var", ".")
COUNT = "num_batches_tracked"
_IGNORED = ("num_features", "affine", "bias", "track_running_stats", "device", "dtype", "process_group")


def from_torch(
    arrays: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
    frozen: Collection[str] = (),
    *,
    prefix: str = "",
) -> Snapshot:
    """Read a PyTorch batch norm.

    Parameters
    ----------
    arrays : mapping
        A ``state_dict()``, of the layer or of the whole model with ``prefix``; tensors, or arrays of any library.
    arguments : mapping, optional
        Of the constructor: ``eps`` (default 1e-5), ``momentum`` (default 0.1, the weight of the NEW value).
    frozen : collection of str
        Names that `to_torch` filled in.
    prefix : str
        The layer's path in the model, ``"layer1.0.bn1"``.
    """
    given = known_arguments(arguments, ("eps", "momentum"), _IGNORED, TITLE)
    params, state = read(arrays, NAMES, TITLE, prefix=prefix, frozen=frozen)
    momentum = given.get("momentum", 0.1)
    preset = PRESETS["torch_cumulative" if momentum is None else "torch"]
    semantics = preset.but(eps=given.get("eps", preset.eps), decay=decay_of(momentum, weighs="new"))
    return Snapshot(params, state._replace(steps=arrays.get(join(prefix, COUNT, "."), 0)), semantics)


def to_torch(snapshot: Snapshot, *, training: bool, prefix: str = "") -> Exported:
    """Write a batch norm for PyTorch: ``arrays`` for ``load_state_dict``, ``arguments`` for the constructor.

    Parameters
    ----------
    snapshot : Snapshot
    training : bool
        True if the layer will be trained on, which must then give what the original would; see `Exported`.
    prefix : str
        The layer's path in the model.

    Raises
    ------
    Unsupported
        With ``training=True``, for semantics that PyTorch does not have (a biased running variance, zero debias, …).
    """
    carried = carry(snapshot, (PRESETS["torch"], PRESETS["torch_cumulative"]), TITLE, training=training)
    params, state, _ = carried.snapshot
    size = channels(state, TITLE)
    affine = params.scale is not None or params.offset is not None
    params, filled = completed(params, state, ("scale", "offset") if affine else ())
    xp = of(state.mean).xp
    arrays = write(params, state, NAMES, prefix=prefix)
    arrays[join(prefix, COUNT, ".")] = scalar(xp, state.steps)
    momentum = momentum_of(carried.target.decay, weighs="new")
    arguments = {"num_features": size, "eps": carried.target.eps, "momentum": momentum, "affine": affine}
    return Exported(arrays, arguments, frozen_names(filled, NAMES, prefix=prefix), carried.not_carried, carried.notes)
