"""Addresses as numbers, and back: loops work on addresses, because arrays would be reference-counted per call.

What is here could be written in Python, too; as instructions it takes a fraction of the time to compile.
"""

# mypy: disable-error-code="untyped-decorator, import-untyped"

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

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
def keep(typing: Any, array: Any) -> Any:
    """Nothing, but a use of the array: Numba frees one after its last use, and an address from `memory` is none."""
    return types.none(array), lambda context, builder, signature, args: context.get_dummy_value()


@intrinsic
def pointer(typing: Any, kind: Any, address: Any) -> Any:
    """An address as a pointer to numbers of the type of the array ``kind``, which is never looked at."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[1], context.get_value_type(types.CPointer(kind.dtype)))

    return types.CPointer(kind.dtype)(kind, types.intp), emit


@intrinsic
def vector(typing: Any, kind: Any, address: Any, size: Any) -> Any:
    """An address as an array of what statistics and parameters of such data are kept in, float32 or float64; 0 is an empty one."""
    scalar = computes_in(kind.dtype).scalar
    made = types.Array(scalar, 1, "C")

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, place, count = args
        array = make_array(made)(context, builder)
        zero = ir.Constant(count.type, 0)
        count = builder.select(builder.icmp_signed("==", place, zero), zero, count)
        item = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(scalar)))
        data = builder.inttoptr(place, array.data.type)
        populate_array(array, data=data, shape=(count,), strides=(item,), itemsize=item, meminfo=None)
        return array._getvalue()

    return made(kind, types.intp, types.intp), emit


@intrinsic
def five(typing: Any, words: Any, first: Any) -> Any:
    """Five neighbours of a pointer to int64, from ``words[first]`` on."""
    made = types.UniTuple(types.intp, 5)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = builder.gep(args[0], [args[1]])
        numbers = [builder.load(builder.gep(start, [context.get_constant(types.intp, i)])) for i in range(5)]
        return context.make_tuple(builder, made, numbers)

    return made(words, types.intp), emit


@intrinsic
def data_of(typing: Any, address: Any, hop: Any) -> Any:
    """Where the data of an array object are that holds their address ``hop`` bytes from its beginning; what is given if either is 0."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place, step = args
        zero = ir.Constant(place.type, 0)
        found = cgutils.alloca_once_value(builder, place)
        nothing = builder.or_(builder.icmp_signed("==", place, zero), builder.icmp_signed("==", step, zero))
        with builder.if_then(builder.not_(nothing)):
            held = builder.inttoptr(builder.add(place, step), place.type.as_pointer())
            builder.store(builder.load(held), found)
        return builder.load(found)

    return types.intp(types.intp, types.intp), emit


@intrinsic
def row_start(typing: Any, strides: Any, inner_rows: Any, row: Any, channel: Any) -> Any:
    """Where a row of a channel begins."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        steps, inner, number, c = args
        start, outer, within, by_channel = (builder.extract_value(steps, i) for i in range(4))
        place = builder.add(start, builder.mul(builder.sdiv(number, inner), outer))
        place = builder.add(place, builder.mul(builder.srem(number, inner), within))
        return builder.add(place, builder.mul(c, by_channel))

    return types.intp(strides, types.intp, types.intp, types.intp), emit
