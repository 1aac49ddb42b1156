"""All checks of a call, in one function, before anything is computed; what it returns is all the rest needs."""

from typing import NamedTuple

from anybn._typing import Array, Dtype, Namespace
from anybn.errors import bad_type, bad_value
from anybn.namespace import Space, dtype_name, of
from anybn.plan import Plan, make_plan
from anybn.plan import plan as cached_plan
from anybn.semantics import Semantics, preset
from anybn.state import Params, RunningStats

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
_TINY = 2.0**-126
_STATE_FLOATS = frozenset({"float32", "float64"})


class Call(NamedTuple):
    """A checked call: names resolved, shapes agreed, parameters in the computing dtype.

    ``weights`` already has the mask in it and broadcasts against x.
    """

    space: Space
    plan: Plan
    semantics: Semantics
    eps: float
    dtype: str
    compute: Dtype
    params: Params
    weights: Array | None
    traced: bool

    @property
    def xp(self) -> Namespace:
        """The namespace of the arrays."""
        return self.space.xp


def check(
    x: Array,
    params: Params | None,
    state: RunningStats | None,
    *,
    training: bool,
    axis: int | tuple[int, ...],
    semantics: str | Semantics,
    eps: float | None,
    decay: float | None,
    mask: Array | None = None,
    weights: Array | None = None,
) -> Call:
    """Check every argument of `batch_norm` and return the `Call`, or raise an error that says what to do."""
    _check_training(training, state)
    _check_containers(params, state)
    params = params or Params()
    space = of(x, *params, *(() if state is None else state[:2]), mask, weights)
    dtype = dtype_name(x.dtype)
    if dtype not in FLOATS:
        raise _bad_input_dtype(dtype)
    traced = space.library.traced(x)
    # Under a tracer sizes may be symbols; as keys of the cache they would become constants of the compiled program.
    plan = make_plan(tuple(x.shape), axis) if traced else cached_plan(x.shape, axis)
    settings = _settings(semantics, eps, decay)
    compute = space.xp.float64 if dtype == "float64" else space.xp.float32
    # eps = 0 is allowed: the smallest normal number changes no variance, and 0 / sqrt(0 + it) is 0, not NaN.
    epsilon = max(settings.eps, settings.eps_floor, _TINY)
    if state is not None:
        _check_state(state, plan, settings)
    masked = mask is not None or weights is not None
    mixed = _weights(space.xp, mask, weights, plan, compute) if masked else None
    learned = _params(space.xp, params, plan, compute, settings)
    return Call(space, plan, settings, epsilon, dtype, compute, learned, mixed, traced)


def _check_training(training: object, state: RunningStats | None) -> None:
    if not isinstance(training, bool):
        raise bad_type(
            "training must be a Python bool",
            got=f"{type(training).__name__} {training!r}",
            expected="True or False, known before the computation",
            hint="two calls, one for training and one for evaluation",
        )
    if state is None and not training:
        raise bad_type(
            "evaluation needs running statistics",
            got="state=None",
            expected="a RunningStats",
            hint="anybn.init(...) for a new one, or training=True to normalise by the batch",
        )


def _check_containers(params: object, state: object) -> None:
    if not (params is None or isinstance(params, Params)):
        raise bad_type(
            "params are no Params",
            got=_kind(params),
            expected="anybn.Params(scale, offset), each an array or None",
            hint="anybn.Params(scale=..., offset=...)",
        )
    if not (state is None or isinstance(state, RunningStats)):
        raise bad_type(
            "state is no RunningStats",
            got=_kind(state),
            expected="anybn.RunningStats(mean, var)",
            hint="anybn.RunningStats(mean=..., var=...) or anybn.init(...)",
        )


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_type(
            f"{name} is no Python number",
            got=_kind(value),
            expected="a float (a 0-d array would change the dtype of the result in some libraries)",
            hint=f"float({name})",
        )
    return float(value)


def _settings(semantics: str | Semantics, eps: float | None, decay: float | None) -> Semantics:
    settings = preset(semantics) if isinstance(semantics, str) else semantics
    if not isinstance(settings, Semantics):
        raise bad_type(
            "semantics is no preset",
            got=type(settings).__name__,
            expected="a name such as 'torch' or a Semantics",
            hint="semantics='torch'",
        )
    if eps is not None and _number("eps", eps) != settings.eps:
        settings = settings.but(eps=float(eps))
    if decay is not None and _number("decay", decay) != settings.decay:
        settings = settings.but(decay=float(decay))
    return settings


def _bad_input_dtype(dtype: str) -> Exception:
    return bad_type(
        "x is not real floating-point data",
        got=f"dtype {dtype}",
        expected="float16, bfloat16, float32 or float64",
        hint="the real and imaginary parts as two channels" if "complex" in dtype else "xp.astype(x, xp.float32)",
    )


def _shape_error(name: str, got: object, plan: Plan) -> Exception:
    others = [f"axis={i}" for i, size in enumerate(plan.shape) if (size,) == got]
    return bad_value(
        f"{name} does not match the channel axis",
        got=f"shape {got} for x of shape {tuple(plan.shape)} with axis {plan.axis}",
        expected=f"shape {plan.param_shape}",
        hint=" or ".join(others) if others else "one value per channel, and the right axis=",
    )


def _fits(shape: tuple[int | None, ...], wanted: tuple[int | None, ...]) -> bool:
    return shape == wanted or (
        len(shape) == len(wanted) and all(a == b or a is None or b is None for a, b in zip(shape, wanted, strict=True))
    )


def _params(xp: Namespace, params: Params, plan: Plan, compute: Dtype, settings: Semantics) -> Params:
    scale, offset = params
    if scale is not None:
        scale = None if settings.fix_scale else _param(xp, "scale", scale, plan, compute)
    if offset is not None:
        offset = _param(xp, "offset", offset, plan, compute)
    return Params(scale, offset)


def _param(xp: Namespace, name: str, value: Array, plan: Plan, compute: Dtype) -> Array:
    if not _fits(tuple(value.shape), plan.param_shape):
        raise _shape_error(name, tuple(value.shape), plan)
    if value.dtype == compute:
        return value
    if dtype_name(value.dtype) not in FLOATS:
        raise bad_type(
            f"{name} is not real floating-point data",
            got=f"dtype {dtype_name(value.dtype)}",
            expected="float16, bfloat16, float32 or float64",
            hint=f"xp.astype({name}, xp.float32)",
        )
    return xp.astype(value, compute)


def _check_state(state: RunningStats, plan: Plan, settings: Semantics) -> None:
    named = {name: value for name, value in state._asdict().items() if name not in ("steps", "skipped")}
    for field, value in named.items():
        if value is None:
            continue
        name = f"running {field}"
        if not _fits(tuple(value.shape), plan.param_shape):
            raise _shape_error(name, tuple(value.shape), plan)
        if dtype_name(value.dtype) not in _STATE_FLOATS:
            raise bad_type(
                f"{name} is kept too coarsely",
                got=f"dtype {dtype_name(value.dtype)}",
                expected="float32 or float64, also for 16-bit inputs (a float16 variance ends at 65504)",
                hint="xp.astype(..., xp.float32) on the state",
            )
    if settings.renorm is not None and (state.std is None or state.renorm_mean is None or state.renorm_std is None):
        raise bad_value(
            "the state lacks the renorm statistics",
            got="a RunningStats without std, renorm_mean or renorm_std",
            expected=f"all three, as {settings.name!r} keeps them",
            hint=f"anybn.init(..., semantics={settings.name!r})",
        )


def _weights(xp: Namespace, mask: Array | None, weights: Array | None, plan: Plan, compute: Dtype) -> Array | None:
    given = None if weights is None else xp.astype(_expand("weights", weights, plan), compute)
    if mask is None:
        return given
    if dtype_name(mask.dtype) != "bool":
        raise bad_type(
            "mask is not boolean",
            got=f"dtype {dtype_name(mask.dtype)}",
            expected="bool, True where a value counts",
            hint="mask != 0, or weights= for real weights",
        )
    seen = _expand("mask", mask, plan)
    if given is None:
        return xp.astype(seen, compute)
    return xp.where(seen, given, xp.zeros_like(given))


def _expand(name: str, value: Array, plan: Plan) -> Array:
    """Return mask or weights with x's rank: (N,), x's shape without channel axes, or x's own rank with ones."""
    shape = tuple(None if isinstance(size, float) else size for size in value.shape)
    without = tuple(plan.shape[i] for i in plan.reduce)
    if len(shape) == plan.ndim and all(_one_or(a, b) for a, b in zip(shape, plan.shape, strict=True)):
        return value
    if _fits(shape, without):
        axes = plan.reduce
    elif _fits(shape, without[:1]):
        axes = plan.reduce[:1]
    else:
        raise bad_value(
            f"{name} does not match x",
            got=f"shape {shape} for x of shape {tuple(plan.shape)} with axis {plan.axis}",
            expected=f"{without[:1]} (samples), {without} (all but the channels), or x's rank with ones",
            hint=f"{name}[..., None] to add the missing axes",
        )
    # Not reshape or expand_dims: Dask refuses both for a size that it does not know.
    return value[tuple(slice(None) if i in axes else None for i in range(plan.ndim))]


def _one_or(size: int | None, wanted: int | None) -> bool:
    return size in (1, wanted, None) or wanted is None
