"""Our own layers to a plain mapping and to one safetensors file, and back, across array libraries."""

import json
import struct
import sys
from collections.abc import Mapping
from ctypes import addressof, create_string_buffer
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from anybn._typing import Array, Device, Namespace, is_number
from anybn.convert._record import Snapshot
from anybn.errors import MissingDependency, bad_value, explain
from anybn.namespace import device_of, dtype_name, of
from anybn.semantics import Renorm, Semantics
from anybn.state import Params, RunningStats

# safetensors' name in files, struct's letter. bfloat16 has none: it is the upper half of a float32.
_FORMATS = {"float16": ("F16", "e"), "bfloat16": ("BF16", ""), "float32": ("F32", "f"), "float64": ("F64", "d")}
_DTYPES = {name: dtype for dtype, (name, _) in _FORMATS.items()}
_KEY = "anybn"


def to_mapping(params: Params, state: RunningStats) -> dict[str, Array]:
    """Return parameters and statistics as a plain mapping: ``scale``, ``offset``, ``running_mean``, ``running_var``, ….

    What does not exist is left out. The arrays are those that were given, not copies.
    """
    pairs = {**params._asdict(), **{f"running_{name}": value for name, value in state._asdict().items()}}
    return {name: value for name, value in pairs.items() if value is not None}


def from_mapping(mapping: Mapping[str, Array]) -> tuple[Params, RunningStats]:
    """Return what `to_mapping` was given.

    Raises
    ------
    BadValue
        For names that are not known, or no running mean or variance.
    """
    names = {f"running_{name}": name for name in RunningStats._fields}
    strange = [name for name in mapping if name not in names and name not in Params._fields]
    missing = [name for name in ("running_mean", "running_var") if name not in mapping]
    if strange or missing:
        raise bad_value(
            "this is no saved anybn layer",
            got=", ".join(mapping) or "nothing",
            expected=f"running_mean and running_var, and any of {', '.join([*Params._fields, *names])}",
            hint="anybn.convert.from_torch, from_keras, … for other frameworks' names",
        )
    state = {names[name]: value for name, value in mapping.items() if name in names}
    return Params(mapping.get("scale"), mapping.get("offset")), RunningStats(**state)


def save(path: str | PathLike[str], snapshot: Snapshot, *, prefix: str = "") -> None:
    """Write parameters, statistics and semantics to one safetensors file.

    Parameters
    ----------
    path : path
        Written whole; an existing file is replaced.
    snapshot : Snapshot
    prefix : str
        Stands before every name, with a dot.

    Raises
    ------
    MissingDependency
        When the package ``safetensors`` is not installed.
    """
    library = _safetensors()
    dot = f"{prefix}." if prefix else ""
    mapping = to_mapping(snapshot.params, snapshot.state)
    packed = {f"{dot}{name}": _packed(value) for name, value in mapping.items()}
    buffers = {name: create_string_buffer(one.data, len(one.data)) for name, one in packed.items()}
    tensors = {name: _described(library, one, buffers[name]) for name, one in packed.items()}
    library.serialize_file(tensors, str(path), {f"{dot}{_KEY}": json.dumps(asdict(snapshot.semantics))})


def load(path: str | PathLike[str], *, xp: Namespace, device: Device | None = None, prefix: str = "") -> Snapshot:
    """Read what `save` wrote, as arrays of any library, bit for bit the numbers that were saved.

    Parameters
    ----------
    xp : namespace
        ``numpy``, ``torch``, ``jax.numpy``, …
    """
    library = _safetensors()
    dot = f"{prefix}." if prefix else ""
    data = Path(path).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    text = header.get("__metadata__", {}).get(f"{dot}{_KEY}")
    if text is None:
        raise bad_value(
            "no anybn layer in this file",
            got=f"{path} with prefix {prefix!r}",
            expected=f"the entry {dot}{_KEY!r} in its metadata",
            hint="the prefix that was given to save, or anybn.convert for another framework's checkpoint",
        )
    found = {
        name.removeprefix(dot): _unpacked(entry, xp, device)
        for name, entry in library.deserialize(data)
        if name.startswith(dot)
    }
    return Snapshot(*from_mapping(found), _semantics(json.loads(text)))


def moved(value: Array, like: Array) -> Array:
    """Return an array of any library as one of the library, dtype and device of ``like``."""
    if is_number(value) or is_number(like):
        return int(value) if is_number(like) else value
    target = of(like).xp
    if of(value).xp is target:
        return value if value.dtype == like.dtype else target.astype(value, like.dtype)
    flat = target.asarray(_numbers(value), dtype=like.dtype, device=device_of(like))
    return target.reshape(flat, tuple(value.shape))


def _semantics(fields: dict[str, Any]) -> Semantics:
    renorm = fields.pop("renorm")
    corrections = tuple(fields.pop("corrections"))
    return Semantics(**fields, corrections=corrections, renorm=None if renorm is None else Renorm(**renorm))


def _numbers(array: Array) -> list[float]:
    """Return the values as Python numbers: exact, and no library but the array's own is needed."""
    flat = array.reshape(-1) if hasattr(array, "reshape") else array
    if hasattr(flat, "compute"):
        flat = flat.compute()
    if hasattr(flat, "tolist"):
        return list(flat.tolist())
    xp = array.__array_namespace__()
    flat = xp.reshape(array, (-1,))
    return [float(flat[i]) for i in range(flat.shape[0])]


class _Packed(NamedTuple):
    dtype: str
    shape: list[int]
    data: bytes


def _described(library: Any, packed: _Packed, buffer: Any) -> Any:
    """Return what this version of safetensors takes for a tensor: an address since 0.8, the bytes before."""
    if hasattr(library, "TensorSpec"):
        return library.TensorSpec(
            dtype=packed.dtype, shape=packed.shape, data_ptr=addressof(buffer), data_len=len(packed.data)
        )
    return packed._asdict()


def _packed(value: Array) -> _Packed:
    if is_number(value) or not dtype_name(value.dtype).startswith(("float", "bfloat")):
        return _Packed("int64", [], struct.pack("<q", int(value)))
    name = dtype_name(value.dtype)
    letter = _FORMATS[name][1]
    numbers = _numbers(value)
    if letter:
        data = struct.pack(f"<{len(numbers)}{letter}", *numbers)
    else:
        wide = struct.pack(f"<{len(numbers)}f", *numbers)
        data = b"".join(wide[i + 2 : i + 4] for i in range(0, len(wide), 4))
    return _Packed(name, list(value.shape), data)


def _unpacked(entry: dict[str, Any], xp: Namespace, device: Device | None) -> Array:
    data = bytes(entry["data"])
    if entry["dtype"] == "I64":
        return struct.unpack("<q", data)[0]
    dtype = _DTYPES[entry["dtype"]]
    letter = _FORMATS[dtype][1]
    if letter:
        numbers = struct.unpack(f"<{len(data) // struct.calcsize(letter)}{letter}", data)
    else:
        wide = b"".join(b"\0\0" + data[i : i + 2] for i in range(0, len(data), 2))
        numbers = struct.unpack(f"<{len(wide) // 4}f", wide)
    flat = xp.asarray(list(numbers), dtype=getattr(xp, dtype, xp.float32), device=device)
    return xp.reshape(flat, tuple(entry["shape"]))


def _safetensors() -> Any:
    try:
        import safetensors
    except ImportError:
        raise MissingDependency(
            explain(
                "safetensors is needed for files",
                got=f"a Python ({sys.version_info.major}.{sys.version_info.minor}) without it",
                expected="the package safetensors",
                hint="pip install 'anybn[safetensors]', or to_mapping and a format of your own",
            )
        ) from None
    return safetensors
