"""How our loops are compiled: without the GIL, IEEE division, and kept on disk for the next process."""

from functools import cache
from pathlib import Path
from typing import Any

from numba import njit, typeof


def compile_cached(function: Any, **options: Any) -> Any:
    """Compile with the GIL released, cached on disk where some directory can be written to."""
    try:
        made = njit(nogil=True, error_model="numpy", cache=True, **options)(function)
    except RuntimeError:  # no writable cache directory at all: compile in every process instead of failing
        return njit(nogil=True, error_model="numpy", **options)(function)
    # Numba looks whether the function's own file has changed, but the compiled code holds what it calls in other files, too
    # (https://numba.readthedocs.io/en/stable/user/jit.html#cache).
    kept = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if kept is not None and hasattr(kept, "_source_stamp"):
        kept._source_stamp = _stamp()
    return made


def inlined(function: Any) -> Any:
    """Compile as part of each compiled function that calls it, and by itself only where Python does.

    A function of its own costs as much as a hundred lines: LLVM optimises it alone, again in each of its callers, and makes machine
    code of it and of its way in from Python. For what is called in one place.
    """
    return compile_cached(function, inline="always")


def direct(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Return what a compiled function calls for arguments of these types, without looking at their types each time.

    The function is called once, to be compiled or loaded: the arguments must be some with which it does nothing.
    """
    function(*arguments)
    return function.get_overload(tuple(typeof(one) for one in arguments))


def folder_of(function: Any) -> str | None:
    """Return where the compiled code of a function is kept, or None where it is not."""
    path = getattr(getattr(function, "_cache", None), "cache_path", None)
    return None if path is None else str(path)


@cache
def _stamp() -> tuple[tuple[str, int, int], ...]:
    """Return what changes when any file of this room does."""
    files = [(path.name, path.stat()) for path in sorted(Path(__file__).parent.glob("*.py"))]
    return tuple((name, found.st_mtime_ns, found.st_size) for name, found in files)
