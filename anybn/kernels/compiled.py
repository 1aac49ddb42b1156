"""How our loops are compiled: without the GIL, IEEE division, and kept on disk for the next process."""

from typing import Any

from numba import njit


def compile_cached(function: Any) -> Any:
    """Compile with the GIL released, cached on disk where some directory can be written to."""
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # no writable cache directory at all: compile in every process instead of failing
        return njit(nogil=True, error_model="numpy")(function)
