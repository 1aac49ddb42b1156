"""Keras 3, Keras 2 (tf_keras) and ``tf.compat.v1.layers``: four weights and ``get_config()``.

``momentum`` is the weight of the OLD value. Keras 3 always keeps the biased variance; the fused path of the two others
(the default on 4-D input) keeps the unbiased one.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from anybn._typing import Array
from anybn.convert._flat import Names, join, read, write
from anybn.convert._record import Exported, Snapshot, carry, channels, known_arguments
from anybn.errors import Unsupported, bad_value, explain
from anybn.semantics import PRESETS, Renorm

Version = Literal["keras", "keras2", "tf1"]

NAMES = Names("gamma", "beta", "moving_mean", "moving_variance", "/")
RENORM_NAMES = {"std": "moving_stddev", "renorm_mean": "renorm_mean", "renorm_std": "renorm_stddev"}
VERSIONS: dict[str, dict[str, str]] = {
    "keras": {"plain": "keras", "renorm": "keras_renorm"},
    "keras2": {"plain": "keras2", "fused": "keras2_fused", "renorm": "keras2_renorm"},
    "tf1": {"plain": "tf1", "fused": "tf1_fused", "renorm": "tf1_renorm"},
}
_KNOWN = (
    "momentum",
    "epsilon",
    "renorm",
    "renorm_clipping",
    "renorm_momentum",
    "virtual_batch_size",
    "adjustment",
    "fused",
)
_INITIAL = ("beta", "gamma", "moving_mean", "moving_variance")
_IGNORED = (
    "name", "trainable", "dtype", "axis", "center", "scale", "synchronized", "autocast", "batch_input_shape", "build_config",
    *(f"{name}_{kind}" for name in _INITIAL for kind in ("initializer", "regularizer", "constraint")),
)  # fmt: skip


def from_keras(
    arrays: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
    frozen: Collection[str] = (),
    *,
    version: Version = "keras",
    prefix: str = "",
) -> Snapshot:
    """Read a Keras batch norm.

    Parameters
    ----------
    arrays : mapping
        ``{w.name: w for w in layer.weights}``, or a whole model's by path with ``prefix``; a final ``:0`` is
        understood.
    arguments : mapping, optional
        ``layer.get_config()``, or those of the constructor: ``momentum`` (default 0.99, the weight of the OLD value),
        ``epsilon`` (default 1e-3), ``renorm`` and its companions.
        With Keras 2 and ``tf1`` also ``fused`` (``layer.fused``), because it decides about the running variance.
    frozen : collection of str
        Unused; Keras leaves out what is missing.
    version : {"keras", "keras2", "tf1"}
        Keras 3; tf_keras and ``tf.keras`` up to TensorFlow 2.15; ``tf.compat.v1.layers``.
    prefix : str
        The layer's path, ``"block/batch_normalization"``.
    """
    given = known_arguments(arguments, _KNOWN, _IGNORED, _title(version))
    _refuse_what_is_no_state(given, version)
    params, state = read(arrays, NAMES, _title(version), prefix=prefix, frozen=frozen)
    kind = _kind(given, version)
    preset = PRESETS[VERSIONS[version][kind]]
    renorm = _renorm(given) if kind == "renorm" else None
    semantics = preset.but(
        eps=given.get("epsilon", preset.eps), decay=given.get("momentum", preset.decay), renorm=renorm
    )
    if renorm is not None:
        state = state._replace(**_renorm_arrays(arrays, prefix))
    return Snapshot(params, state, semantics)


def to_keras(snapshot: Snapshot, *, training: bool, version: Version = "keras", prefix: str = "") -> Exported:
    """Write a batch norm for Keras: the weights by name, and the arguments of the constructor.

    With Keras 2 and ``tf1`` the arguments hold ``fused``: True needs 4-D input there (and gives the unbiased running
    variance), False works with any. Other parameters and errors as in `anybn.convert.to_torch`.
    """
    title = _title(version)
    carried = carry(snapshot, [PRESETS[name] for name in VERSIONS[version].values()], title, training=training)
    params, state, _ = carried.snapshot
    channels(state, title)
    arguments: dict[str, Any] = {
        "momentum": carried.target.decay,
        "epsilon": carried.target.eps,
        "scale": params.scale is not None,
        "center": params.offset is not None,
    }
    if version != "keras":
        arguments["fused"] = carried.target.name.endswith("_fused")
    arrays = write(params, state, NAMES, prefix=prefix)
    if carried.target.renorm is not None:
        arguments |= _renorm_arguments(carried.target.renorm)
        arrays |= {join(prefix, name, "/"): getattr(state, field) for field, name in RENORM_NAMES.items()}
    return Exported(arrays, arguments, (), carried.not_carried, carried.notes)


def by_order(weights: Sequence[Array], arguments: Mapping[str, Any] | None = None) -> dict[str, Array]:
    """Name the arrays of ``layer.get_weights()``, which come without names, in the order gamma, beta, mean, variance.

    ``arguments`` is ``layer.get_config()``: ``scale`` and ``center`` say what is there.
    """
    given = arguments or {}
    there = [given.get("scale", True), given.get("center", True), True, True]
    names = [name for name, is_there in zip(NAMES[:4], there, strict=True) if is_there]
    if given.get("renorm"):
        names += RENORM_NAMES.values()
    if len(names) == len(weights):
        return dict(zip(names, weights, strict=True))
    raise bad_value(
        "the weights do not fit the configuration",
        got=f"{len(weights)} arrays",
        expected=f"{len(names)}: {', '.join(names)}",
        hint="arguments=layer.get_config()",
    )


def _title(version: str) -> str:
    titles = {"keras": "Keras 3", "keras2": "Keras 2", "tf1": "tf.compat.v1.layers"}
    if version in titles:
        return titles[version] + " batch normalization"
    raise bad_value("no such Keras", got=repr(version), expected=" or ".join(map(repr, titles)), hint="version='keras'")


def _kind(given: Mapping[str, Any], version: str) -> str:
    if given.get("renorm"):
        return "renorm"
    if version == "keras":
        return "plain"
    fused = given.get("fused")
    if isinstance(fused, bool):
        return "fused" if fused else "plain"
    raise bad_value(
        "whether the layer is fused decides about its running variance",
        got=f"fused={fused!r}",
        expected="True (unbiased running variance, the default on 4-D input) or False (biased)",
        hint="arguments={**layer.get_config(), 'fused': layer.fused}",
    )


def _renorm(given: Mapping[str, Any]) -> Renorm:
    clipping = given.get("renorm_clipping") or {}
    return Renorm(
        decay=given.get("renorm_momentum", 0.99), **{name: clipping.get(name) for name in ("rmin", "rmax", "dmax")}
    )


def _renorm_arguments(renorm: Renorm) -> dict[str, Any]:
    limits = {"rmin": renorm.rmin, "rmax": renorm.rmax, "dmax": renorm.dmax}
    clipping = {name: limit for name, limit in limits.items() if limit is not None}
    return {"renorm": True, "renorm_clipping": clipping, "renorm_momentum": renorm.decay}


def _renorm_arrays(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    clean = {name.removesuffix(":0"): value for name, value in arrays.items()}
    wanted = {field: join(prefix, name, "/") for field, name in RENORM_NAMES.items()}
    missing = [name for name in wanted.values() if name not in clean]
    if missing:
        raise bad_value(
            "a layer with renorm=True has three more weights",
            got=f"no {', no '.join(missing)}",
            expected=", ".join(wanted.values()),
            hint="all of layer.weights",
        )
    return {field: clean[name] for field, name in wanted.items()}


def _refuse_what_is_no_state(given: Mapping[str, Any], version: str) -> None:
    for name in ("virtual_batch_size", "adjustment"):
        if given.get(name) is not None:
            raise Unsupported(
                explain(
                    f"{_title(version)} with {name} is a way of calling, which no converter can carry",
                    got=f"{name}={given[name]!r}",
                    expected=f"{name}=None",
                    hint="anybn.batch_norm(..., ghost=…), or converting without it",
                )
            )
