"""Addresses as numbers, and back: loops work on addresses, because arrays would be reference-counted per call."""

# mypy: disable-error-code="untyped-decorator, import-untyped"

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from anybn.kernels.simd import computes_in


@intrinsic
def memory(typing: Any, array: Any) -> Any:
    """The address of a contiguous array's first number."""
    return (
        types.CPointer(array.dtype)(array),
        lambda context, builder, signature, args: (
            cgutils.create_struct_proxy(array)(context, builder, value=args[0]).data
        ),
    )


@intrinsic
def pointer(typing: Any, kind: Any, address: Any) -> Any:
    """An address as a pointer to numbers of the type of the array ``kind``, which is never looked at."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[1], context.get_value_type(types.CPointer(kind.dtype)))

    return types.CPointer(kind.dtype)(kind, types.intp), emit


@intrinsic
def pointer_computed(typing: Any, kind: Any, address: Any) -> Any:
    """An address as a pointer to what statistics and parameters of such data are kept in: float32, or float64."""
    scalar = computes_in(kind.dtype).scalar

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[1], context.get_value_type(types.CPointer(scalar)))

    return types.CPointer(scalar)(kind, types.intp), emit
