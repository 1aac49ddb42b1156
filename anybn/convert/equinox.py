"""Equinox: ``eqx.nn.BatchNorm`` in both modes, by plain names, because its statistics live in an ``eqx.nn.State``.

``momentum`` is the weight of the OLD value; the running variance is biased. The names here are those of ``state.get``::

    mode="ema":    running_mean, running_var = state.get(layer.ema_state_index); first_time =
    state.get(layer.ema_first_time_index) mode="batch":  hidden_mean, hidden_var = state.get(layer.batch_state_index);
    counter = state.get(layer.batch_counter)

``mode="batch"`` divides by ``1 - momentum**counter`` in evaluation although its variance starts at 1; a counter so
large that ``momentum**counter`` is 0 switches that off, and gives the plain exponential average of Keras or Flax.
"""

from collections.abc import Collection, Mapping
from typing import Any

from anybn.convert._record import (
    Carried,
    Exported,
    Snapshot,
    carry,
    channels,
    completed,
    known_arguments,
    refuse_no_forgetting,
)
from anybn.errors import bad_value
from anybn.semantics import PRESETS
from anybn.state import Params, RunningStats

TITLE = "equinox.nn.BatchNorm"
WARM = 2**30
"""A count of steps after which nothing is left of the start (and int32 has room for as many again)."""

EMA = PRESETS["equinox_ema"]
DIVIDED = PRESETS["equinox_batch_divided_var"]
WARMED = PRESETS["equinox_batch"].but(name="equinox_batch_warm", debias="none")
_NAMES = {"ema": ("running_mean", "running_var", "first_time"), "batch": ("hidden_mean", "hidden_var", "counter")}
_IGNORED = ("input_size", "axis_name", "channelwise_affine", "inference", "dtype")


def from_equinox(
    arrays: Mapping[str, Any], arguments: Mapping[str, Any] | None = None, frozen: Collection[str] = ()
) -> Snapshot:
    """Read an Equinox batch norm.

    Parameters
    ----------
    arrays : mapping
        ``weight`` and ``bias`` (if ``channelwise_affine``), and the three names of the mode, see the module's text.
    arguments : mapping, optional
        Of the constructor: ``mode`` (default "ema"), ``momentum`` (default 0.99, the weight of the OLD value), ``eps``.
    frozen : collection of str
        Names that `to_equinox` filled in.
    """
    given = known_arguments(arguments, ("eps", "momentum", "mode"), _IGNORED, TITLE)
    mode = "ema" if given.get("mode") in (None, "legacy") else given["mode"]
    if mode not in _NAMES or any(name not in arrays for name in _NAMES[mode]):
        raise bad_value(
            "these are not the arrays of one Equinox layer",
            got=f"mode={mode!r} with {', '.join(arrays) or 'nothing'}",
            expected=" or ".join(f"mode={name!r} with {', '.join(names)}" for name, names in _NAMES.items()),
            hint="state.get(layer.ema_state_index) or state.get(layer.batch_state_index)",
        )
    mean, var, count = (arrays[name] for name in _NAMES[mode])
    warm = mode == "batch" and int(count) >= WARM
    preset = EMA if mode == "ema" else WARMED if warm else DIVIDED
    semantics = preset.but(eps=given.get("eps", preset.eps), decay=given.get("momentum", preset.decay))
    params = Params(*(None if name in frozen else arrays.get(name) for name in ("weight", "bias")))
    steps = 0 if warm else int(not count) if mode == "ema" else int(count)
    return Snapshot(params, RunningStats(mean, var, steps), semantics)


def to_equinox(snapshot: Snapshot, *, training: bool) -> Exported:
    """Write a batch norm as the arrays and constructor arguments of Equinox.

    Parameters and errors as in `anybn.convert.to_torch`. Equinox has no unbiased running variance, and both of weight
    and bias or none: what is missing is filled in and named in ``frozen``.
    """
    zero_debias = PRESETS["equinox_batch"]
    carried = carry(snapshot, (WARMED, DIVIDED, EMA, zero_debias), TITLE, training=training)
    refuse_no_forgetting(carried.target.decay, TITLE, training=training)
    params, state, _ = carried.snapshot
    affine = params.scale is not None or params.offset is not None
    size = channels(state, TITLE)
    params, filled = completed(params, state, ("scale", "offset") if affine else ())
    mode = "ema" if carried.target.name == EMA.name else "batch"
    learned = {name: value for name, value in (("weight", params.scale), ("bias", params.offset)) if value is not None}
    arguments = {
        "input_size": size,
        "eps": carried.target.eps,
        "channelwise_affine": affine,
        "momentum": carried.target.decay,
        "mode": mode,
    }
    frozen = tuple({"scale": "weight", "offset": "bias"}[name] for name in filled)
    kept = dict(zip(_NAMES[mode], _kept(carried, mode, training=training), strict=True))
    return Exported(learned | kept, arguments, frozen, carried.not_carried, carried.notes)


def _kept(carried: Carried, mode: str, *, training: bool) -> tuple[Any, Any, Any]:
    """Return mean, var and the mode's count as Equinox keeps them.

    The count is a Python number: ``state.set`` refuses all but the weakly typed array that ``jnp.asarray`` makes of
    one.
    """
    state, target = carried.snapshot.state, carried.target
    steps, decay = int(state.steps), target.decay or 0.0
    if mode == "ema":
        return state.mean, state.var, steps == 0
    if target.name == WARMED.name:
        # Where nothing is ever forgotten no counter is high enough; counter 0 switches the division off, too.
        return state.mean, state.var, WARM if decay <= 1.0 - 1e-7 else 0
    if target.name == DIVIDED.name:
        return state.mean, state.var, steps
    # A start from 0 debiases as meant; it is only before the first step that evaluation would see a variance of 0.
    left = 1.0 - decay**steps if steps or training else 1.0
    return state.mean * left, state.var * left, steps
