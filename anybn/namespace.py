"""The one room that finds out which array library it has been given. It imports none: who calls has done so.

Everything is looked up by type and remembered, because ``array_namespace`` alone costs 2 to 30 µs a call.
The three things the standard lacks (cutting gradients, knowing a tracer, knowing that gradients are wanted) are
one row per library in `LIBRARIES`.
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

from array_api_compat import array_namespace
from array_api_compat import device as compat_device

from anybn._typing import Array, Device, Dtype, Hook, Namespace
from anybn.errors import bad_type


class Library(NamedTuple):
    """What is known of one array library beyond the standard.

    Attributes
    ----------
    name : str
        Root of the module that defines the array type: ``"numpy"``, ``"torch"``, ``"jax"``, …
    detach : callable
        Returns the array without its gradient history.
    traced : callable
        Whether values are unknown now (under a compiler, lazy), so that no branch may depend on them.
    differentiates : callable
        Whether somebody records this array to differentiate later.
    mutable : bool
        Whether fresh arrays can be written in place.
    compiling : callable
        Whether a compiler reads our code at this moment, instead of running it.
    """

    name: str
    detach: Hook
    traced: Callable[[Array], bool]
    differentiates: Callable[[Array], bool]
    mutable: bool = False
    compiling: Callable[[], bool] = bool


class Space(NamedTuple):
    """The namespace of some arrays and what is known of their library."""

    xp: Namespace
    library: Library


def _same(x: Array) -> Array:
    return x


def _never(_: Array) -> bool:
    return False


def _always(_: Array) -> bool:
    return True


def _torch_detach(x: Array) -> Array:
    return x.detach() if x.requires_grad else x


def _torch_compiling() -> bool:
    return bool(sys.modules["torch"].compiler.is_compiling())


def _torch_traced(x: Array) -> bool:
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling():
        return True
    return type(x).__name__ == "FakeTensor" or bool(torch._C._functorch.is_functorch_wrapped_tensor(x))


def _torch_differentiates(x: Array) -> bool:
    return bool(x.requires_grad) and sys.modules["torch"].is_grad_enabled()


def _jax_detach(x: Array) -> Array:
    return sys.modules["jax"].lax.stop_gradient(x)


def _jax_traced(x: Array) -> bool:
    return isinstance(x, sys.modules["jax"].core.Tracer)


LIBRARIES = {
    row.name: row
    for row in (
        Library("numpy", _same, _never, _never, mutable=True),
        Library("cupy", _same, _never, _never, mutable=True),
        Library("torch", _torch_detach, _torch_traced, _torch_differentiates, True, _torch_compiling),
        Library("jax", _jax_detach, _jax_traced, _jax_traced),
        Library("dask", _same, _always, _never),
        Library("ndonnx", _same, _always, _never),
        Library("array_api_strict", _same, _never, _never),
    )
}

_ALIASES = {"jaxlib": "jax", "ml_dtypes": "numpy"}
_SPACES: dict[type, Space] = {}


def of(x: Array, *others: Array | None) -> Space:
    """Return the namespace and library of the arrays; all must be of one library (None is skipped).

    Raises
    ------
    BadType
        For something that is no array, or arrays of two libraries.
    """
    space = _SPACES.get(type(x)) or _find(x)
    for other in others:
        if other is not None and type(other) is not type(x):
            found = _SPACES.get(type(other)) or _find(other)
            if found.xp is not space.xp:
                raise bad_type(
                    "arrays of two libraries",
                    got=f"{space.library.name} and {found.library.name}",
                    expected="x, params, state, mask and weights of one library",
                    hint=f"xp.asarray(...) of {space.library.name} on the parameters and the state",
                )
    return space


def met(x: Array) -> bool:
    """Whether an array of x's type has been met before, and no compiler reads this."""
    space = _SPACES.get(type(x))
    return space is not None and not space.library.compiling()


def _find(x: Array) -> Space:
    kind = type(x)
    if kind.__module__.startswith("numpy") and kind.__name__ in ("MaskedArray", "matrix"):
        raise bad_type(
            "a NumPy subclass that means something else",
            got=f"{kind.__module__}.{kind.__qualname__}",
            expected="a plain array",
            hint="numpy.asarray(x), with mask=~numpy.ma.getmaskarray(x) for a masked array",
        )
    for base in kind.__mro__[1:]:
        if base in _SPACES:
            _SPACES[kind] = _SPACES[base]
            return _SPACES[base]
    try:
        xp = array_namespace(x)
    except TypeError:
        raise bad_type(
            "not an array",
            got=f"{kind.__module__}.{kind.__qualname__}",
            expected="an array of a library that follows the array API standard",
            hint="numpy.asarray(x) or torch.as_tensor(x)",
        ) from None
    root: str = xp.__name__.removeprefix("array_api_compat.").partition(".")[0]
    name: str = _ALIASES.get(root, root)
    space = Space(xp, LIBRARIES.get(name) or Library(name, _same, _always, _never))
    _SPACES[kind] = space
    return space


_DTYPE_NAMES: dict[tuple[type, Dtype], str] = {}


def dtype_name(dtype: Dtype) -> str:
    """Return the plain name of a dtype, ``"float32"``, ``"bfloat16"``, ``"int64"``, the same in every library."""
    key = (type(dtype), dtype)  # dtypes of two libraries are not even compared
    name = _DTYPE_NAMES.get(key)
    if name is None:
        name = str(getattr(dtype, "name", dtype)).rpartition(".")[2]
        _DTYPE_NAMES[key] = name
    return name


def device_of(x: Array) -> Device:
    """Return the device of the array, as its library names it."""
    return compat_device(x)


def device_name(x: Array, space: Space) -> str:
    """Return ``"cpu"``, ``"cuda"``, … for the kernel table (no index)."""
    name = space.library.name
    if name == "numpy":
        return "cpu"
    if name == "torch":
        return str(x.device.type)
    if name == "cupy":
        return "cuda"
    return str(compat_device(x)).lower() if name == "array_api_strict" else "unknown"
