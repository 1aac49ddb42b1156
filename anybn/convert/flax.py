"""Flax: ``nn.BatchNorm`` of linen by its variables, and ``nnx.BatchNorm`` by its state.

``momentum`` is the weight of the OLD value; the running variance is biased.
"""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from anybn.convert._record import Exported, Snapshot, carry, channels, known_arguments
from anybn.errors import bad_value
from anybn.semantics import PRESETS
from anybn.state import Params, RunningStats

TITLE = "flax BatchNorm"
_KNOWN = ("momentum", "epsilon")
_IGNORED = (
    "num_features", "use_running_average", "axis", "dtype", "param_dtype", "use_bias", "use_scale", "bias_init", "scale_init",
    "axis_name", "axis_index_groups", "use_fast_variance", "force_float32_reductions", "promote_dtype", "rngs", "name",
    "bias_metadata", "scale_metadata",
)  # fmt: skip


def from_flax(
    arrays: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
    frozen: Collection[str] = (),
    *,
    path: str = "",
) -> Snapshot:
    """Read a Flax batch norm.

    Parameters
    ----------
    arrays : mapping
        Linen: the variables ``{"params": {…}, "batch_stats": {…}}``. nnx: ``{"scale", "bias", "mean", "var"}``, for
        instance ``nnx.to_pure_dict(nnx.state(layer))``.
    arguments : mapping, optional
        Of the constructor: ``momentum`` (default 0.99, the weight of the OLD value), ``epsilon`` (default 1e-5).
    frozen : collection of str
        Unused; Flax leaves out what is missing.
    path : str
        Where the layer is in the trees, ``"ResNetBlock_0/BatchNorm_1"``.
    """
    given = known_arguments(arguments, _KNOWN, _IGNORED, TITLE)
    linen = "batch_stats" in arrays
    learned = _at(arrays.get("params", {}), path, must=False) if linen else _at(arrays, path)
    kept = _at(arrays["batch_stats"], path) if linen else learned
    missing = [name for name in ("mean", "var") if name not in kept]
    if missing:
        raise bad_value(
            "this is no batch norm's tree",
            got=f"{', '.join(kept) or 'nothing'} at {path or 'the root'}",
            expected="mean and var in batch_stats (linen) or next to scale and bias (nnx)",
            hint="path='Block_0/BatchNorm_0'",
        )
    preset = PRESETS["flax"]
    semantics = preset.but(eps=given.get("epsilon", preset.eps), decay=given.get("momentum", preset.decay))
    return Snapshot(
        Params(learned.get("scale"), learned.get("bias")), RunningStats(kept["mean"], kept["var"]), semantics
    )


def to_flax(snapshot: Snapshot, *, training: bool, api: Literal["linen", "nnx"] = "linen", path: str = "") -> Exported:
    """Write a batch norm as the trees and constructor arguments of Flax; several channel axes are fine.

    Parameters and errors as in `anybn.convert.to_torch`; ``api`` and ``path`` as in `from_flax`. Flax has no unbiased
    running variance, so a layer that goes on training cannot come from PyTorch exactly.
    """
    carried = carry(snapshot, (PRESETS["flax"],), TITLE, training=training)
    params, state, _ = carried.snapshot
    learned = {name: value for name, value in (("scale", params.scale), ("bias", params.offset)) if value is not None}
    kept = {"mean": state.mean, "var": state.var}
    trees = {"params": learned, "batch_stats": kept} if api == "linen" else {"": learned | kept}
    placed = {name: _put(tree, path) for name, tree in trees.items()}
    arguments: dict[str, Any] = {
        "momentum": carried.target.decay,
        "epsilon": carried.target.eps,
        "use_scale": params.scale is not None,
        "use_bias": params.offset is not None,
    }
    if api == "nnx":
        arguments = {"num_features": channels(state, TITLE), **arguments}
    return Exported(placed if api == "linen" else placed[""], arguments, (), carried.not_carried, carried.notes)


def _at(tree: Mapping[str, Any], path: str, *, must: bool = True) -> Mapping[str, Any]:
    """Walk down ``a/b/c``; a part that is not there is an error, or nothing if the tree need not have it."""
    for part in path.split("/") if path else ():
        if part not in tree and must:
            raise bad_value(
                "no such path", got=path, expected=f"{part} among {', '.join(tree)}", hint="path='Block_0/BatchNorm_0'"
            )
        tree = tree.get(part, {})
    return tree


def _put(tree: dict[str, Any], path: str) -> dict[str, Any]:
    for part in reversed(path.split("/") if path else ()):
        tree = {part: tree}
    return tree
