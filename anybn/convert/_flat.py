"""Read and write the frameworks that keep one flat mapping of names to arrays."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from anybn._typing import Array
from anybn.errors import bad_value
from anybn.state import Params, RunningStats


class Names(NamedTuple):
    """What a framework calls the four arrays; ``separator`` stands between a layer's path and these."""

    scale: str
    offset: str
    mean: str
    var: str
    separator: str


def join(prefix: str, name: str, separator: str) -> str:
    """Return the full name; a prefix may or may not end with the separator."""
    return f"{prefix}{separator}{name}" if prefix and not prefix.endswith(separator) else prefix + name


def read(
    arrays: Mapping[str, Any], names: Names, title: str, *, prefix: str = "", frozen: Collection[str] = ()
) -> tuple[Params, RunningStats]:
    """Return the four arrays under ``prefix``; those in ``frozen`` were only filled in and are left out.

    Raises
    ------
    BadValue
        When mean or variance is missing.
    """
    scale, offset, mean, var = (join(prefix, name, names.separator) for name in names[:4])
    clean = {name.removesuffix(":0"): value for name, value in arrays.items()}
    missing = [name for name in (mean, var) if name not in clean]
    if missing:
        raise bad_value(
            f"these are not the arrays of one {title} layer",
            got=f"{_shown(arrays)} with no {' and no '.join(missing)}",
            expected=f"{mean} and {var}, and {scale} and {offset} if the layer has them",
            hint="prefix=… (anybn.convert.find_layers lists them), or a layer that keeps running statistics",
        )

    def learned(name: str) -> Array | None:
        return None if name in frozen else clean.get(name)

    return Params(learned(scale), learned(offset)), RunningStats(clean[mean], clean[var])


def write(params: Params, state: RunningStats, names: Names, *, prefix: str = "") -> dict[str, Any]:
    """Return the mapping of those arrays that are there."""
    pairs = zip(names[:4], (params.scale, params.offset, state.mean, state.var), strict=True)
    return {join(prefix, name, names.separator): value for name, value in pairs if value is not None}


def frozen_names(filled: Iterable[str], names: Names, *, prefix: str = "") -> tuple[str, ...]:
    """Return the framework's names of the fields that were filled in."""
    return tuple(join(prefix, getattr(names, field), names.separator) for field in filled)


def _shown(arrays: Mapping[str, Any], limit: int = 6) -> str:
    shown = ", ".join(list(arrays)[:limit]) or "nothing"
    return shown if len(arrays) <= limit else f"{shown}, … ({len(arrays)} names)"
