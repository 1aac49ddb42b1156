"""Haiku: ``hk.BatchNorm`` by its params and state.

``decay_rate`` is the weight of the OLD value; the running variance is biased; both statistics are zero-debiased: the
state holds ``hidden``, ``counter`` and ``average = hidden / (1 - decay**counter)``. Where the original does not debias,
a counter so large that ``decay**counter`` is 0 makes Haiku do the same: ``average = hidden``.
"""

from collections.abc import Collection, Mapping
from typing import Any

from anybn._typing import Array
from anybn.convert._record import (
    Carried,
    Exported,
    Snapshot,
    carry,
    channels,
    known_arguments,
    refuse_no_forgetting,
    scalar,
)
from anybn.errors import bad_value
from anybn.namespace import of
from anybn.semantics import PRESETS
from anybn.state import Params, RunningStats

TITLE = "haiku.BatchNorm"
WARM = 2**30
"""A count of steps after which nothing is left of the start (and int32 has room for as many again)."""

_IGNORED = (
    "create_scale", "create_offset", "scale_init", "offset_init", "axis", "cross_replica_axis", "cross_replica_axis_index_groups",
    "data_format", "name",
)  # fmt: skip


def from_haiku(
    arrays: Mapping[str, Mapping[str, Any]],
    arguments: Mapping[str, Any],
    frozen: Collection[str] = (),
    *,
    module: str = "batch_norm",
) -> Snapshot:
    """Read a Haiku batch norm.

    Parameters
    ----------
    arrays : mapping
        ``{"params": params, "state": state}``, as ``hk.transform_with_state`` has them.
    arguments : mapping
        Of the constructor: ``decay_rate`` (which has no default, the weight of the OLD value), ``eps`` (default 1e-5).
    frozen : collection of str
        Unused; Haiku leaves out what is missing.
    module : str
        The module's name, ``"res_net/~/initial_batchnorm"``.
    """
    given = known_arguments(arguments, ("decay_rate", "eps"), _IGNORED, TITLE)
    if "decay_rate" not in given:
        raise bad_value(
            "Haiku's decay_rate has no default", got="none", expected="a number", hint="arguments={'decay_rate': 0.9}"
        )
    mean, var = (_average(arrays["state"], module, name) for name in ("mean_ema", "var_ema"))
    learned = arrays.get("params", {}).get(module, {})
    xp = of(mean["average"]).xp

    def flat(value: Array | None) -> Array | None:
        return None if value is None else xp.reshape(value, (-1,))

    preset, warm = PRESETS["haiku"], int(mean["counter"]) >= WARM
    semantics = preset.but(
        eps=given.get("eps", preset.eps), decay=given["decay_rate"], debias="none" if warm else "both"
    )
    stats = RunningStats(flat(mean["average"]), flat(var["average"]), 0 if warm else int(mean["counter"]))
    return Snapshot(Params(flat(learned.get("scale")), flat(learned.get("offset"))), stats, semantics)


def to_haiku(
    snapshot: Snapshot, *, training: bool, ndim: int, channel_axis: int = -1, module: str = "batch_norm"
) -> Exported:
    """Write a batch norm as params, state and constructor arguments of Haiku.

    Parameters
    ----------
    snapshot : Snapshot
    training : bool
        True if the layer will be trained on; see `Exported`.
    ndim : int
        Rank of the layer's input: Haiku keeps its arrays in that rank, ``(1, 1, 1, C)``.
    channel_axis : int
        Where C is in it.
    module : str
        The module's name.

    Raises
    ------
    Unsupported
        With ``training=True``, for an unbiased running variance, or a decay of 1.
    """
    plain = PRESETS["haiku"]
    carried = carry(snapshot, (plain, plain.but(debias="none")), TITLE, training=training)
    refuse_no_forgetting(carried.target.decay, TITLE, training=training)
    params, state, _ = carried.snapshot
    shape = [1] * ndim
    shape[channel_axis] = channels(state, TITLE)
    xp = of(state.mean).xp

    def wide(value: Array) -> Array:
        return xp.reshape(value, tuple(shape))

    learned = {name: wide(value) for name, value in params._asdict().items() if value is not None}
    counter, left = _count(carried)
    kept = {
        f"{module}/~/{name}": {
            "hidden": wide(value * left),
            "average": wide(value),
            "counter": scalar(xp, counter, xp.int32),
        }
        for name, value in (("mean_ema", state.mean), ("var_ema", state.var))
    }
    arguments: dict[str, Any] = {"decay_rate": carried.target.decay, "eps": carried.target.eps}
    arguments |= {"create_scale": params.scale is not None, "create_offset": params.offset is not None}
    arguments["data_format"] = "channels_last" if channel_axis in (-1, ndim - 1) else "channels_first"
    trees = {"params": {module: learned} if learned else {}, "state": kept}
    return Exported(trees, arguments, (), carried.not_carried, carried.notes)


def _count(carried: Carried) -> tuple[int, float]:
    """Return the counter and the factor from average to hidden."""
    if carried.target.debias == "none":
        return WARM, 1.0
    steps, decay = int(carried.snapshot.state.steps), carried.target.decay
    return steps, 1.0 if decay is None else 1.0 - decay**steps


def _average(state: Mapping[str, Any], module: str, name: str) -> Mapping[str, Any]:
    full = f"{module}/~/{name}"
    if full in state:
        found: Mapping[str, Any] = state[full]
        return found
    raise bad_value(
        "no such module in the state",
        got=f"{full}, with {', '.join(state) or 'nothing'}",
        expected=f"{full} with hidden, average and counter",
        hint="module='res_net/~/initial_batchnorm'",
    )
