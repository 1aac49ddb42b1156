"""The row for NumPy arrays: compiled loops over the array's own memory, whatever its strides.

Numba is imported by the first call that needs it, never by importing `anybn`.
"""

from functools import cache, lru_cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from anybn._typing import Array
from anybn.kernels.base import Kernel, Lane, Request, Settled
from anybn.state import Gradients, Moments, Params

DTYPES = frozenset({"float16", "bfloat16", "float32", "float64"})


@cache
def missing() -> str | None:
    """Return why there are no compiled loops, or None."""
    if find_spec("numba") is None:
        return "numba is not installed (pip install anybn[fast])"
    try:
        drive()
    except Exception as error:  # whatever a broken installation raises: the portable row must still compute
        return f"numba does not work here: {error}"
    return None


@cache
def drive() -> ModuleType:
    """Import the compiled loops; raises where Numba is missing or broken."""
    from anybn.kernels import numba_drive

    return numba_drive


@cache
def passes() -> ModuleType:
    """Import the compiled loops of the forward passes."""
    from anybn.kernels import numba_forward

    return numba_forward


@cache
def back() -> ModuleType:
    """Import the compiled loops of the backward pass."""
    from anybn.kernels import numba_back

    return numba_back


def folder() -> str | None:
    """Return where compiled code is kept, or None where no directory can be written to."""
    from anybn.kernels.compiled import folder_of
    from anybn.kernels.numba_lane import learn

    return folder_of(learn)


@cache
def numpy() -> Any:
    """Import NumPy."""
    import numpy as np

    return np


@lru_cache(maxsize=256)
def why_not(request: Request) -> str | None:
    """Return what compiled loops cannot do of this request, for any library with memory on the CPU."""
    if request.dtype not in DTYPES:
        return f"no loop for dtype {request.dtype}"
    if request.weighted:
        return "weights and masks are the portable kernel's"
    if not request.plan.count or not request.plan.channels:
        return "nothing to compute"
    if request.plan.layout is None:
        return "channel axes that are apart"
    return missing()


def refuses(request: Request) -> str | None:
    """Return why the row does not serve the request, or None."""
    if request.library != "numpy":
        return "for NumPy arrays"
    return why_not(request)


def _walkable(x: Array) -> Array:
    """Return x, or a copy where its numbers are not where or how a processor wants them (records, foreign byte order)."""
    if x.flags.aligned and x.dtype.isnative and all(step % x.itemsize == 0 for step in x.strides):
        return x
    return numpy().array(x, dtype=x.dtype.newbyteorder("="))


def _threads() -> int:
    import numba

    return int(numba.get_num_threads())


def _job(request: Request, *operands: Array) -> Any:
    strides = tuple([one.strides for one in operands])
    addresses = tuple([one.__array_interface__["data"][0] for one in operands])
    return drive().job(request.dtype, request.plan, strides, operands[0].itemsize, addresses, _threads)


def _vector(request: Request, vector: Array | None) -> Any:
    """Return a parameter as the loops want it: flat, contiguous, in the computing dtype; empty if there is none."""
    if vector is None:
        return _nothing(request.dtype)
    if vector.ndim == 1 and vector.flags.c_contiguous and vector.flags.writeable:
        return vector
    return numpy().array(vector, order="C").reshape(-1)


@cache
def _nothing(dtype: str) -> Any:
    np = numpy()
    return np.empty(0, np.float64 if dtype == "float64" else np.float32)


def _moments(request: Request, mean: Any, m2: Any) -> Moments:
    shape = request.plan.param_shape
    return Moments(request.plan.count, mean.reshape(shape), m2.reshape(shape))


def forward(request: Request, x: Array, params: Params, weights: Array | None, eps: float) -> tuple[Array, Moments]:
    """Normalise by the batch's own statistics."""
    x = _walkable(x)
    y = numpy().empty_like(x)
    mean, m2 = passes().forward(
        _job(request, x, y), eps, _vector(request, params.scale), _vector(request, params.offset)
    )
    return y, _moments(request, mean, m2)


def evaluate(request: Request, x: Array, params: Params, mean: Array, var: Array, eps: float) -> Array:
    """Normalise by given statistics."""
    x = _walkable(x)
    y = numpy().empty_like(x)
    passes().evaluate(
        _job(request, x, y),
        eps,
        _vector(request, mean),
        _vector(request, var),
        _vector(request, params.scale),
        _vector(request, params.offset),
    )
    return y


def moments(request: Request, x: Array, weights: Array | None) -> Moments:
    """Return the batch's statistics."""
    x = _walkable(x)
    return _moments(request, *passes().moments(_job(request, x)))


def backward(
    request: Request,
    dy: Array,
    x: Array,
    params: Params,
    moments: Moments,
    weights: Array | None,
    eps: float,
) -> Gradients:
    """Gradients of `forward`."""
    x, dy = _walkable(x), _walkable(dy.astype(x.dtype, copy=False))
    dx = numpy().empty_like(x)
    this = _job(request, dy, x, dx)
    return _gradients(
        request,
        dx,
        params,
        back().backward(
            this, eps, _vector(request, moments.mean), _vector(request, moments.m2), _vector(request, params.scale)
        ),
    )


def backward_evaluate(
    request: Request, dy: Array, x: Array, params: Params, mean: Array, var: Array, eps: float
) -> Gradients:
    """Gradients of `evaluate`."""
    x, dy = _walkable(x), _walkable(dy.astype(x.dtype, copy=False))
    dx = numpy().empty_like(x)
    wanted = params.scale is not None or params.offset is not None
    found = back().backward_evaluate(
        _job(request, dy, x, dx),
        eps,
        _vector(request, mean),
        _vector(request, var),
        _vector(request, params.scale),
        wanted,
    )
    return _gradients(request, dx, params, found)


def _gradients(request: Request, dx: Array, params: Params, found: tuple[Any, Any]) -> Gradients:
    shape = request.plan.param_shape
    scale, offset = (
        None if param is None else one.astype(param.dtype).reshape(shape)
        for param, one in zip(params, found, strict=True)
    )
    return Gradients(dx, scale, offset)


def lane(settled: Settled) -> Lane:
    """Calls like an earlier one, in one go."""
    from anybn.kernels import numpy_lane

    return numpy_lane.lane(settled)


NUMBA = Kernel(
    name="numba",
    refuses=refuses,
    since="0.1",
    tolerance=2e-6,
    forward=forward,
    evaluate=evaluate,
    moments=moments,
    backward=backward,
    backward_evaluate=backward_evaluate,
    lane=lane,
)
