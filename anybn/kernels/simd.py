"""Sixteen lanes at a time: LLVM vector operations for the Numba kernels.

Loops over short rows (a 7 x 7 image is 49 numbers) spend their time in the scalar tails that automatic vectorisation leaves.
Here a vector is a value, as in C with intrinsics, and a tail is one masked operation. LLVM splits the sixteen lanes into
whatever registers the processor has, so the code is the same for AVX-512, AVX2 and NEON.

Element types: float32 and float64 as they are; float16 arrives as uint16 and bfloat16 as int16 (the same bytes, viewed), because
Numba has no arithmetic for them. Loading widens 16-bit numbers to float32; storing rounds to nearest, ties to even.
"""

# mypy: disable-error-code="untyped-decorator, import-untyped"

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16
_F16, _F32, _F64 = ir.HalfType(), ir.FloatType(), ir.DoubleType()
_I16, _I32 = ir.IntType(16), ir.IntType(32)


class Lanes(types.Type):  # type: ignore[misc]
    """The Numba type of a vector of ``LANES`` float32 or float64 numbers."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        super().__init__(name=f"Lanes{bits}")

    @property
    def scalar(self) -> Any:
        """The Numba type of one lane."""
        return types.float32 if self.bits == 32 else types.float64


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, _vector(_F32 if kind.bits == 32 else _F64))


WIDE = Lanes(64)


def _vector(element: Any) -> Any:
    return ir.VectorType(element, LANES)


def computes_in(dtype: Any) -> Lanes:
    return WIDE if dtype == types.float64 else Lanes(32)


def _widen(builder: Any, value: Any, dtype: Any) -> Any:
    """16-bit lanes to float32; float32 and float64 as they are. Works on vectors and scalars."""
    kind = _like(value.type)
    if dtype == types.uint16:
        return builder.fpext(builder.bitcast(value, kind(_F16)), kind(_F32))
    if dtype == types.int16:
        bits = builder.shl(builder.zext(value, kind(_I32)), ir.Constant(kind(_I32), _fill(kind, 16)))
        return builder.bitcast(bits, kind(_F32))
    return value


def _narrow(builder: Any, value: Any, dtype: Any) -> Any:
    """The way back; bfloat16 by hand: round to nearest even on the bits, NaN stays NaN."""
    kind = _like(value.type)
    if dtype == types.uint16:
        return builder.bitcast(builder.fptrunc(value, kind(_F16)), kind(_I16))
    if dtype != types.int16:
        return value
    one, half, high, nan = (ir.Constant(kind(_I32), _fill(kind, n)) for n in (1, 0x7FFF, 16, 0x7FC00000))
    bits = builder.bitcast(value, kind(_I32))
    odd = builder.and_(builder.lshr(bits, high), one)
    rounded = builder.add(builder.add(bits, odd), half)
    chosen = builder.select(builder.fcmp_unordered("uno", value, value), nan, rounded)
    return builder.trunc(builder.lshr(chosen, high), kind(_I16))


def _like(model: Any) -> Any:
    """A function that gives an element type the shape (vector or scalar) of ``model``."""
    return _vector if isinstance(model, ir.VectorType) else (lambda element: element)


def _fill(kind: Any, number: int) -> Any:
    return [number] * LANES if kind is _vector else number


def _address(builder: Any, pointer: Any, index: Any) -> Any:
    return builder.gep(pointer, [index], inbounds=True)


def _as_vector(builder: Any, address: Any, dtype: Any) -> Any:
    return builder.bitcast(address, _vector(_STORED[dtype]).as_pointer())


_STORED = {types.float32: _F32, types.float64: _F64, types.uint16: _I16, types.int16: _I16}
_BYTES = {types.float32: 4, types.float64: 8, types.uint16: 2, types.int16: 2}


@intrinsic
def load(typing: Any, data: Any, index: Any) -> Any:
    """Sixteen neighbours from ``data[index]`` on, widened."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _address(builder, args[0], args[1])
        value = builder.load(_as_vector(builder, pointer, data.dtype), align=_BYTES[data.dtype])
        return _widen(builder, value, data.dtype)

    return computes_in(data.dtype)(data, types.intp), emit


def _mask(builder: Any, count: Any) -> Any:
    lanes = ir.Constant(ir.VectorType(count.type, LANES), list(range(LANES)))
    return builder.icmp_signed("<", lanes, _splat(builder, count))


def _splat(builder: Any, scalar: Any) -> Any:
    kind = ir.VectorType(scalar.type, LANES)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(_I32, 0))
    zeros = ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)


def _suffix(kind: Any) -> str:
    return f"v{LANES}{ {_I16: 'i16', _F32: 'f32', _F64: 'f64'}[kind.element] }"


def _call(builder: Any, name: str, returns: Any, arguments: Any) -> Any:
    signature = ir.FunctionType(returns, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


@intrinsic
def load_part(typing: Any, data: Any, index: Any, count: Any) -> Any:
    """The first ``count`` lanes from ``data[index]`` on, widened; the others are zero and their memory is not touched."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = _vector(_STORED[data.dtype])
        pointer = _as_vector(builder, _address(builder, args[0], args[1]), data.dtype)
        blank = ir.Constant(kind, [0] * LANES) if kind.element == _I16 else ir.Constant(kind, [0.0] * LANES)
        align = ir.Constant(_I32, _BYTES[data.dtype])
        value = _call(
            builder, f"llvm.masked.load.{_suffix(kind)}.p0", kind, [pointer, align, _mask(builder, args[2]), blank]
        )
        return _widen(builder, value, data.dtype)

    return computes_in(data.dtype)(data, types.intp, types.intp), emit


@intrinsic
def store(typing: Any, data: Any, index: Any, vector: Any) -> Any:
    """Write sixteen neighbours from ``data[index]`` on, rounded to the array's type."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _as_vector(builder, _address(builder, args[0], args[1]), data.dtype)
        builder.store(_narrow(builder, args[2], data.dtype), pointer, align=_BYTES[data.dtype])
        return context.get_dummy_value()

    return types.void(data, types.intp, vector), emit


@intrinsic
def to_boundary(typing: Any, data: Any, index: Any) -> Any:
    """How many elements from ``data[index]`` on lie before the next cache line: stores across two lines take twice as long."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        size = _BYTES[data.dtype]
        step = min(64, LANES * size)
        word = context.get_value_type(types.intp)
        place = builder.ptrtoint(_address(builder, args[0], args[1]), word)
        missing = builder.and_(builder.neg(place), ir.Constant(word, step - 1))
        return builder.udiv(missing, ir.Constant(word, size))

    return types.intp(data, types.intp), emit


@intrinsic
def store_part(typing: Any, data: Any, index: Any, count: Any, vector: Any) -> Any:
    """Write the first ``count`` lanes only."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = _vector(_STORED[data.dtype])
        pointer = _as_vector(builder, _address(builder, args[0], args[1]), data.dtype)
        value = _narrow(builder, args[3], data.dtype)
        align = ir.Constant(_I32, _BYTES[data.dtype])
        name, arguments = f"llvm.masked.store.{_suffix(kind)}.p0", [value, pointer, align, _mask(builder, args[2])]
        _call(builder, name, ir.VoidType(), arguments)
        return context.get_dummy_value()

    return types.void(data, types.intp, types.intp, vector), emit


@intrinsic
def load_one(typing: Any, data: Any, index: Any) -> Any:
    """One number, widened."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _widen(builder, builder.load(_address(builder, args[0], args[1])), data.dtype)

    return computes_in(data.dtype).scalar(data, types.intp), emit


@intrinsic
def store_one(typing: Any, data: Any, index: Any, number: Any) -> Any:
    """Write one number, rounded to the array's type."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _address(builder, args[0], args[1])
        builder.store(_narrow(builder, args[2], data.dtype), pointer)
        return context.get_dummy_value()

    return types.void(data, types.intp, computes_in(data.dtype).scalar), emit


@intrinsic
def everywhere(typing: Any, number: Any) -> Any:
    """The same number in all lanes."""
    return computes_in(number)(number), lambda context, builder, signature, args: _splat(builder, args[0])


@intrinsic
def to_wide(typing: Any, vector: Any) -> Any:
    """Lanes as float64."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0] if vector == WIDE else builder.fpext(args[0], _vector(_F64))

    return WIDE(vector), emit


@intrinsic
def add(typing: Any, a: Any, b: Any) -> Any:
    """a + b, lane by lane."""
    return a(a, b), lambda context, builder, signature, args: builder.fadd(*args)


@intrinsic
def subtract(typing: Any, a: Any, b: Any) -> Any:
    """a - b, lane by lane."""
    return a(a, b), lambda context, builder, signature, args: builder.fsub(*args)


@intrinsic
def multiply(typing: Any, a: Any, b: Any) -> Any:
    """a * b, lane by lane."""
    return a(a, b), lambda context, builder, signature, args: builder.fmul(*args)


@intrinsic
def multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, lane by lane, rounded once."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, f"llvm.fma.{_suffix(args[0].type)}", args[0].type, args)

    return a(a, b, c), emit


@intrinsic
def blank_from(typing: Any, vector: Any, count: Any) -> Any:
    """The vector with the lanes from ``count`` on set to zero."""
    return vector(vector, types.intp), lambda context, builder, signature, args: builder.select(
        _mask(builder, args[1]), args[0], ir.Constant(args[0].type, [0.0] * LANES)
    )


@intrinsic
def fetch_ahead(typing: Any, data: Any, index: Any) -> Any:
    """Ask for the cache line of ``data[index]``; any index is allowed, nothing is read."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.bitcast(builder.gep(args[0], [args[1]]), ir.IntType(8).as_pointer())
        hints = [ir.Constant(_I32, number) for number in (0, 3, 1)]  # for reading, keep in every level, data
        _call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, *hints])
        return context.get_dummy_value()

    return types.void(data, types.intp), emit
