"""How our loops are compiled: without the GIL, IEEE division, and kept on disk for the next process."""

from functools import cache
from pathlib import Path
from typing import Any

from numba import njit, typeof


def compile_cached(function: Any) -> Any:
    """Compile with the GIL released, cached on disk where some directory can be written to."""
    try:
        made = njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # no writable cache directory at all: compile in every process instead of failing
        return njit(nogil=True, error_model="numpy")(function)
    # Numba looks whether the function's own file has changed, but the compiled code holds what it calls in other files, too
    # (https://numba.readthedocs.io/en/stable/user/jit.html#cache).
    kept = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if kept is not None and hasattr(kept, "_source_stamp"):
        kept._source_stamp = _stamp()
    return made


def direct(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Return what a compiled function calls for arguments of these types, without looking at their types each time."""
    return function.get_overload(tuple(typeof(one) for one in arguments))


@cache
def _stamp() -> tuple[tuple[str, int, int], ...]:
    """Return what changes when any file of this room does."""
    files = [(path.name, path.stat()) for path in sorted(Path(__file__).parent.glob("*.py"))]
    return tuple((name, found.st_mtime_ns, found.st_size) for name, found in files)
