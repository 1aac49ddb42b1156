"""ONNX: the four initialisers of a ``BatchNormalization`` node and its attributes.

``momentum`` is the weight of the OLD value; the running variance is that of the population (biased). Attributes are
float32 in a file: 0.9 comes back as 0.8999999761581421, and is taken at its word.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from anybn.convert._flat import Names, frozen_names, read, write
from anybn.convert._record import Exported, Snapshot, carry, channels, completed, known_arguments
from anybn.errors import bad_value
from anybn.semantics import PRESETS

TITLE = "ONNX BatchNormalization"
INPUTS = ("X", "scale", "B", "input_mean", "input_var")
_IGNORED = ("training_mode", "spatial", "is_test", "consumed_inputs")


def from_onnx(
    arrays: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
    frozen: Collection[str] = (),
    *,
    inputs: Sequence[str] = INPUTS,
) -> Snapshot:
    """Read a BatchNormalization node.

    Parameters
    ----------
    arrays : mapping
        The graph's initialisers by name.
    arguments : mapping, optional
        The node's attributes: ``epsilon`` (default 1e-5), ``momentum`` (default 0.9, the weight of the OLD value).
    frozen : collection of str
        Names that `to_onnx` filled in.
    inputs : sequence of str
        ``node.input``: the names of X, scale, B, mean and var, in this order.
    """
    given = known_arguments(arguments, ("epsilon", "momentum"), _IGNORED, TITLE)
    params, state = read(arrays, _names(inputs), TITLE, frozen=frozen)
    preset = PRESETS["onnx"]
    semantics = preset.but(eps=given.get("epsilon", preset.eps), decay=given.get("momentum", preset.decay))
    return Snapshot(params, state, semantics)


def to_onnx(snapshot: Snapshot, *, training: bool, inputs: Sequence[str] = INPUTS) -> Exported:
    """Write a batch norm for ONNX (opset 14 and later): initialisers by name, and the node's attributes.

    ``training_mode`` is set as ``training`` says. ONNX has no node without scale or offset: those are filled in and
    named in ``frozen``. Other parameters and errors as in `anybn.convert.to_torch`.
    """
    names = _names(inputs)
    carried = carry(snapshot, (PRESETS["onnx"],), TITLE, training=training)
    params, state, _ = carried.snapshot
    channels(state, TITLE)
    params, filled = completed(params, state, ("scale", "offset"))
    arguments = {"epsilon": carried.target.eps, "momentum": carried.target.decay, "training_mode": int(training)}
    return Exported(
        write(params, state, names), arguments, frozen_names(filled, names), carried.not_carried, carried.notes
    )


def _names(inputs: Sequence[str]) -> Names:
    if len(inputs) == len(INPUTS):
        return Names(inputs[1], inputs[2], inputs[3], inputs[4], "")
    raise bad_value(
        "a BatchNormalization node has five inputs",
        got=f"{len(inputs)}: {', '.join(inputs)}",
        expected=", ".join(INPUTS),
        hint="inputs=node.input",
    )
