"""``tf.contrib.layers.batch_norm`` and ``slim.batch_norm``: the variables of a checkpoint.

``decay`` is the weight of the OLD value. There is no gamma unless ``scale=True``. The fused path (the default, except
on rank 3) keeps the unbiased running variance. With ``zero_debias_moving_mean`` the mean alone is debiased, and has two
more variables under its scope, which TensorFlow repeats: ``bn/bn/moving_mean/biased`` and ``bn/bn/moving_mean/local_step``.
"""

from collections.abc import Collection, Mapping
from typing import Any

from anybn.convert._flat import Names, join, read, write
from anybn.convert._record import Exported, Snapshot, carry, channels, known_arguments, scalar
from anybn.errors import Unsupported, bad_value, explain
from anybn.namespace import of
from anybn.semantics import PRESETS
from anybn.state import RunningStats

TITLE = "tf.contrib.layers.batch_norm"
NAMES = Names("gamma", "beta", "moving_mean", "moving_variance", "/")
PRESET_NAMES = {
    (True, False): "contrib_fused",
    (False, False): "contrib",
    (True, True): "contrib_fused_zero_debias",
    (False, True): "contrib_zero_debias",
}
"""By (fused, zero_debias_moving_mean)."""

_KNOWN = ("decay", "epsilon", "fused", "zero_debias_moving_mean", "renorm")
_IGNORED = (
    "center",
    "scale",
    "is_training",
    "updates_collections",
    "data_format",
    "trainable",
    "scope",
    "reuse",
    "param_initializers",
)


def from_contrib(
    arrays: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
    frozen: Collection[str] = (),
    *,
    scope: str = "BatchNorm",
) -> Snapshot:
    """Read a tf.contrib or slim batch norm from a checkpoint's variables.

    Parameters
    ----------
    arrays : mapping
        Variables by name; others (slots of an optimiser, say) may be among them.
    arguments : mapping, optional
        Of the call: ``decay`` (default 0.999, the weight of the OLD value), ``epsilon`` (default 1e-3), ``fused``
        (None, the default, is True, which is what TensorFlow does but for rank 3), ``zero_debias_moving_mean``.
    frozen : collection of str
        Unused; what is missing is left out.
    scope : str
        The layer's scope, ``"resnet_v1_50/conv1/BatchNorm"``.

    Raises
    ------
    Unsupported
        For ``renorm=True``, whose variables were written by ``tf.compat.v1.layers``: `from_keras` reads those.
    """
    given = known_arguments(arguments, _KNOWN, _IGNORED, TITLE)
    if given.get("renorm"):
        raise Unsupported(
            explain(
                "batch renormalisation in contrib is done by tf.compat.v1.layers",
                got="renorm=True",
                expected="renorm=False",
                hint="from_keras(..., version='tf1')",
            )
        )
    params, state = read(arrays, NAMES, TITLE, prefix=scope, frozen=frozen)
    debias = bool(given.get("zero_debias_moving_mean"))
    preset = PRESETS[PRESET_NAMES[given.get("fused") is not False, debias]]
    semantics = preset.but(eps=given.get("epsilon", preset.eps), decay=given.get("decay", preset.decay))
    if debias:
        state = state._replace(steps=_steps(arrays, scope))
    return Snapshot(params, state, semantics)


def to_contrib(snapshot: Snapshot, *, training: bool, scope: str = "BatchNorm") -> Exported:
    """Write a batch norm as the variables and call arguments of tf.contrib or slim.

    ``fused`` in the arguments matters on 2-D and 4-D input, where True gives the unbiased running variance. Other
    parameters and errors as in `anybn.convert.to_torch`.
    """
    carried = carry(snapshot, [PRESETS[name] for name in PRESET_NAMES.values()], TITLE, training=training)
    params, state, _ = carried.snapshot
    channels(state, TITLE)
    fused, debias = next(key for key, name in PRESET_NAMES.items() if name == carried.target.name)
    arguments = {
        "decay": carried.target.decay,
        "epsilon": carried.target.eps,
        "scale": params.scale is not None,
        "center": params.offset is not None,
        "fused": fused,
        "zero_debias_moving_mean": debias,
    }
    arrays = write(params, state, NAMES, prefix=scope)
    if debias:
        arrays |= _debias_variables(state, carried.target.decay, scope)
    return Exported(arrays, arguments, (), carried.not_carried, carried.notes)


def _debias_variables(state: RunningStats, decay: float | None, scope: str) -> dict[str, Any]:
    # shown = biased / (1 - decay**step), and TensorFlow counts the steps in a float.
    xp, steps = of(state.mean).xp, int(state.steps)
    biased = state.mean * (1.0 - (decay or 0.0) ** steps)
    place = join(scope, join(scope, "moving_mean", "/"), "/")
    return {f"{place}/biased": biased, f"{place}/local_step": scalar(xp, float(steps), state.mean.dtype)}


def _steps(arrays: Mapping[str, Any], scope: str) -> int:
    found = [
        name for name in arrays if name.startswith(scope) and name.removesuffix(":0").endswith("moving_mean/local_step")
    ]
    if len(found) == 1:
        return int(arrays[found[0]])
    raise bad_value(
        "a layer with zero_debias_moving_mean=True counts its steps",
        got=f"{len(found)} variables {scope}…/moving_mean/local_step",
        expected="exactly one",
        hint="scope=… of this layer alone, with all its variables",
    )
