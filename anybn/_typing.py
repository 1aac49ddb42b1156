"""Names for types that Python cannot express: an array of any library, its namespace, a count that may be either."""

from collections.abc import Callable
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An array that follows the Python array API standard, of whatever library."""

Namespace: TypeAlias = Any
"""The module whose functions work on these arrays (``numpy``, ``array_api_compat.torch``, ``jax.numpy``, …)."""

Dtype: TypeAlias = Any
Device: TypeAlias = Any
Shape: TypeAlias = tuple[int | None, ...]
"""Sizes of the axes; ``None`` where a lazy library does not know the size yet."""

Hook: TypeAlias = Callable[[Array], Array]


def is_number(value: Array) -> bool:
    """Whether a count is a plain number (a symbol of a compiler, too) and not an array."""
    return isinstance(value, int | float) or not hasattr(value, "ndim")
