"""A kernel is a row: what it computes, and why it refuses. Nothing here knows an array library."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from anybn._typing import Array, Namespace
from anybn.core.running import Rule
from anybn.plan import Plan
from anybn.state import Gradients, Moments, Params, RunningStats

Op = Literal["forward", "evaluate", "moments", "backward", "backward_evaluate"]
"""forward: normalise by the batch. evaluate: normalise by given statistics. moments: the statistics alone.
backward: gradient of forward (through the batch statistics). backward_evaluate: statistics are constants."""

OPS: tuple[Op, ...] = ("forward", "evaluate", "moments", "backward", "backward_evaluate")


class Request(NamedTuple):
    """All a kernel may look at before it accepts: plain facts, no array. Hashable.

    Attributes
    ----------
    op : Op
    xp : namespace
        The standard namespace of the arrays.
    library : str
        ``"numpy"``, ``"torch"``, ``"cupy"``, ``"jax"``, ``"dask"``, …
    dtype : str
        Name of the input's dtype; statistics and parameters arrive in float64 if it is that, else in float32.
    device : str
        ``"cpu"``, ``"cuda"``, … ``"unknown"`` where the library does not say.
    plan : Plan
    scale, offset : bool
        Which parameters are there.
    weighted : bool
        Whether weights (a mask is weights of 0 and 1) are there.
    traced : bool
        Values are not known now (compiler, vmap, lazy library).
    differentiated : bool
        Autograd records the input or a parameter.
    """

    op: Op
    xp: Namespace
    library: str
    dtype: str
    device: str
    plan: Plan
    scale: bool = False
    offset: bool = False
    weighted: bool = False
    traced: bool = False
    differentiated: bool = False


class Forward(Protocol):
    """Training forward. Returns ``(y, moments)``; y in x's dtype, moments in the computing dtype, `param_shape`."""

    def __call__(
        self, request: Request, x: Array, params: Params, weights: Array | None, eps: float, /
    ) -> tuple[Array, Moments]: ...


class Evaluate(Protocol):
    """``y = (x - mean) / sqrt(var + eps) * scale + offset`` for given statistics of `param_shape`."""

    def __call__(self, request: Request, x: Array, params: Params, mean: Array, var: Array, eps: float, /) -> Array: ...


class MomentsOnly(Protocol):
    """The batch's `Moments`, without y."""

    def __call__(self, request: Request, x: Array, weights: Array | None, /) -> Moments: ...


class Backward(Protocol):
    """Gradients of `Forward` for ``dy``; ``moments`` are what that forward returned."""

    def __call__(
        self,
        request: Request,
        dy: Array,
        x: Array,
        params: Params,
        moments: Moments,
        weights: Array | None,
        eps: float,
        /,
    ) -> Gradients: ...


class BackwardEvaluate(Protocol):
    """Gradients of `Evaluate` for ``dy``; the statistics are constants."""

    def __call__(
        self, request: Request, dy: Array, x: Array, params: Params, mean: Array, var: Array, eps: float, /
    ) -> Gradients: ...


class Lane(Protocol):
    """A whole call of `batch_norm` on arrays like those of an earlier one, for which every check has been made.

    It looks itself whether these arrays are indeed like those (but for x's type, shape and dtype, which it was chosen by), and
    returns None where not: the call then goes the long way.
    """

    def __call__(
        self, x: Array, params: Params, state: RunningStats | None, /
    ) -> tuple[Array, RunningStats | None] | None: ...


class Settled(NamedTuple):
    """What a `Lane` is made for: the request, eps, and how the running statistics move (None: they are used, not moved)."""

    request: Request
    eps: float
    rule: Rule | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kernel:
    """One row of the kernel table.

    One callable per operation (None: this row does not do it), so that each has its own exact type.
    A kernel never touches running statistics and never writes into what it is given.

    Attributes
    ----------
    name : str
    refuses : callable
        ``refuses(request)`` returns the reason in one line, or None to accept.
    since : str
        Version of `anybn` that has it first.
    tolerance : float
        Largest difference to the portable kernel in y, for inputs of standard deviation 1, in float32.
    lane : callable or None
        ``lane(settled)`` returns a `Lane` for calls of ``forward`` (or ``evaluate``) without weights: a small input is normalised in
        less time than the checks take.
    """

    name: str
    refuses: Callable[[Request], str | None]
    since: str
    tolerance: float
    forward: Forward | None = None
    evaluate: Evaluate | None = None
    moments: MomentsOnly | None = None
    backward: Backward | None = None
    backward_evaluate: BackwardEvaluate | None = None
    lane: Callable[[Settled], Lane] | None = None

    @property
    def ops(self) -> tuple[Op, ...]:
        """The operations that this row computes."""
        return tuple(op for op in OPS if getattr(self, op) is not None)

    def reason(self, request: Request) -> str | None:
        """Return why this row does not serve the request, or None when it does."""
        if getattr(self, request.op) is None:
            return f"has no {request.op}"
        return self.refuses(request)
