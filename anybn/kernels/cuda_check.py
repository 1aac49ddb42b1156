"""What the CUDA rows have in common before they compute: what they refuse, and a check of themselves against the portable row."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from anybn._typing import Array
from anybn.kernels.base import Backward, Forward, Request
from anybn.kernels.portable import PORTABLE
from anybn.plan import plan
from anybn.state import Params

DTYPES = frozenset({"float16", "bfloat16", "float32", "float64"})
CHECKED = ((4, 3, 5, 7), (3, 8, 4, 4), (300, 3), (64, 33), (2, 1, 4099))
BOUNDS = {"float16": 4e-3, "bfloat16": 4e-2, "float32": 1e-5, "float64": 1e-12}


def why_not(request: Request) -> str | None:
    """Return what the CUDA loops cannot do of this request."""
    if request.dtype not in DTYPES:
        return f"no loop for dtype {request.dtype}"
    if request.weighted:
        return "weights and masks are the portable kernel's"
    if not request.plan.count or not request.plan.channels:
        return "nothing to compute"
    if request.plan.layout is None:
        return "channel axes that are apart"
    return None if find_spec("cupy") else "needs CuPy, which compiles and launches the CUDA loops"


def self_check(
    make: Callable[[tuple[int, ...]], Array], forward: Forward, backward: Backward, request: Request
) -> str | None:
    """Compute small cases and return where they are not what the portable row says, or None.

    ``make`` returns numbers of mean 3 in the request's dtype; the request's plan is replaced by each case's.
    """
    try:
        for shape in CHECKED:
            x, asked = make(shape), request._replace(plan=plan(shape, 1))
            found, moments = forward(asked, x, Params(), None, 1e-5)
            wanted, _ = PORTABLE.forward(asked, x, Params(), None, 1e-5)  # type: ignore[misc]
            dx = backward(asked, x, x, Params(), moments, None, 1e-5).x
            want_dx = PORTABLE.backward(asked, x, x, Params(), moments, None, 1e-5).x  # type: ignore[misc]
            for one, other in ((found, wanted), (dx, want_dx)):
                worst = _distance(request.xp, one, other)
                if not worst <= BOUNDS[request.dtype]:
                    return f"its self-check failed on this device: off by {worst:.1e} for shape {shape}"
    except Exception as error:  # a compiler or driver that does not work: the portable row still does
        return f"its self-check failed on this device: {type(error).__name__}: {error}"[:300]
    return None


def _distance(xp: Any, one: Array, other: Array) -> float:
    return float(xp.max(xp.abs(xp.astype(one, xp.float64) - xp.astype(other, xp.float64))))
