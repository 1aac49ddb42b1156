"""Paddle: ``nn.BatchNorm1D``, ``2D``, ``3D`` by their ``state_dict``.

``momentum`` is the weight of the OLD value; the running variance is biased (as run on CPU).
"""

from collections.abc import Collection, Mapping
from typing import Any

from anybn.convert._flat import Names, read, write
from anybn.convert._record import Exported, Snapshot, carry, channels, known_arguments
from anybn.semantics import PRESETS

TITLE = "paddle.nn.BatchNorm"
NAMES = Names("weight", "bias", "_mean", "_variance", ".")
_IGNORED = ("num_features", "weight_attr", "bias_attr", "data_format", "name", "use_global_stats")


def from_paddle(
    arrays: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
    frozen: Collection[str] = (),
    *,
    prefix: str = "",
) -> Snapshot:
    """Read a Paddle batch norm.

    Parameters
    ----------
    arrays : mapping
        A ``state_dict()``, of the layer or of the whole model with ``prefix``.
    arguments : mapping, optional
        Of the constructor: ``epsilon`` (default 1e-5), ``momentum`` (default 0.9, the weight of the OLD value).
    frozen : collection of str
        Unused; Paddle leaves out what is missing.
    prefix : str
        The layer's path in the model.
    """
    given = known_arguments(arguments, ("epsilon", "momentum"), _IGNORED, TITLE)
    params, state = read(arrays, NAMES, TITLE, prefix=prefix, frozen=frozen)
    preset = PRESETS["paddle"]
    semantics = preset.but(eps=given.get("epsilon", preset.eps), decay=given.get("momentum", preset.decay))
    return Snapshot(params, state, semantics)


def to_paddle(snapshot: Snapshot, *, training: bool, prefix: str = "") -> Exported:
    """Write a batch norm for Paddle: ``arrays`` for ``set_state_dict``, ``arguments`` for the constructor.

    Parameters and errors as in `anybn.convert.to_torch`; Paddle has no unbiased running variance.
    """
    carried = carry(snapshot, (PRESETS["paddle"],), TITLE, training=training)
    params, state, _ = carried.snapshot
    arguments: dict[str, Any] = {
        "num_features": channels(state, TITLE),
        "momentum": carried.target.decay,
        "epsilon": carried.target.eps,
    }
    absent = {"weight_attr": params.scale, "bias_attr": params.offset}
    arguments |= {name: False for name, value in absent.items() if value is None}
    arrays = write(params, state, NAMES, prefix=prefix)
    return Exported(arrays, arguments, (), carried.not_carried, carried.notes)
