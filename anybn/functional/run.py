"""From a checked call to a kernel's result."""

from anybn._typing import Array, Dtype, Namespace
from anybn.functional.validate import Call
from anybn.kernels.base import Op, Request
from anybn.kernels.table import choose
from anybn.namespace import device_name
from anybn.state import Moments, Params


def request(call: Call, x: Array, op: Op, params: Params) -> Request:
    """Return the facts by which the table chooses."""
    library = call.space.library
    scale, offset = params
    differentiates = library.differentiates
    return Request(
        op,
        call.space.xp,
        library.name,
        call.dtype,
        device_name(x, call.space),
        call.plan,
        scale is not None,
        offset is not None,
        call.weights is not None,
        call.traced,
        differentiates(x)
        or (scale is not None and differentiates(scale))
        or (offset is not None and differentiates(offset)),
    )


def forward(call: Call, x: Array, params: Params) -> tuple[Array, Moments]:
    """Return y, normalised by the batch, and the batch's moments."""
    asked = request(call, x, "forward", params)
    run = choose(asked).forward
    assert run is not None
    return run(asked, x, params, call.weights, call.eps)


def moments(call: Call, x: Array) -> Moments:
    """Return the batch's moments."""
    asked = request(call, x, "moments", Params())
    run = choose(asked).moments
    assert run is not None
    return run(asked, x, call.weights)


def evaluate(call: Call, x: Array, mean: Array, var: Array) -> Array:
    """Return y, normalised by these statistics, which are constants."""
    asked = request(call, x, "evaluate", call.params)
    run = choose(asked).evaluate
    assert run is not None
    return run(asked, x, call.params, cast(call.xp, mean, call.compute), cast(call.xp, var, call.compute), call.eps)


def cast(xp: Namespace, x: Array, dtype: Dtype) -> Array:
    """Return x in this dtype, x itself where it already is."""
    return x if x.dtype == dtype else xp.astype(x, dtype)
