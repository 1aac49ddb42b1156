"""What is measured: data, and each implementation as a call without arguments."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

import anybn
from anybn import Params, RunningStats
from anybn.kernels import use

Call = Callable[[], object]
EPS = 1e-5


class Case(NamedTuple):
    """A shape, where its channels are, and what it stands for."""

    shape: tuple[int, ...]
    axis: int
    layout: str
    dtype: str = "float32"

    @property
    def name(self) -> str:
        """Short and stable, the key in the results."""
        return f"{self.layout} {'x'.join(map(str, self.shape))} {self.dtype}"


MAIN = (
    Case((64, 64, 56, 56), 1, "NCHW"),
    Case((8, 64, 112, 112), 1, "NCHW"),
    Case((32, 256, 14, 14), 1, "NCHW"),
    Case((32, 2048, 7, 7), 1, "NCHW"),
    Case((64, 56, 56, 64), -1, "NHWC"),
    Case((8, 112, 112, 64), -1, "NHWC"),
    Case((32, 14, 14, 256), -1, "NHWC"),
    Case((4096, 1024), 1, "NC"),
    Case((65536, 4), 1, "NC"),
    Case((256, 64), 1, "NC"),
    Case((32, 16, 8, 8), 1, "NCHW"),
)

SCALING = {
    "batch": tuple(Case((n, 64, 28, 28), 1, "NCHW") for n in (1, 4, 16, 64)),
    "channels": tuple(Case((16, c, 28, 28), 1, "NCHW") for c in (1, 3, 16, 64, 257, 1024)),
    "space": tuple(Case((16, 64, s, s), 1, "NCHW") for s in (1, 3, 7, 14, 28, 56)),
    "dtype": tuple(Case((16, 64, 28, 28), 1, "NCHW", dtype) for dtype in ("float16", "float32", "float64")),
}

# Large, of middling size and small, in each layout: where the hand-over to a second thread pays and where it cannot
THREADED = (
    Case((64, 64, 56, 56), 1, "NCHW"),
    Case((32, 256, 14, 14), 1, "NCHW"),
    Case((32, 16, 8, 8), 1, "NCHW"),
    Case((64, 56, 56, 64), -1, "NHWC"),
    Case((32, 14, 14, 256), -1, "NHWC"),
    Case((4096, 1024), 1, "NC"),
    Case((256, 64), 1, "NC"),
)


class Data(NamedTuple):
    """x, dy and the parameters of a case, in NumPy."""

    x: Any
    dy: Any
    params: Params
    state: RunningStats


def data(case: Case, mean: float = 3.0) -> Data:
    """Normal numbers of standard deviation 1 around the mean."""
    rng = np.random.default_rng(0)
    kind = np.float64 if case.dtype == "float64" else np.float32
    channels = case.shape[case.axis]
    x = (rng.standard_normal(case.shape, dtype=kind) + kind(mean)).astype(case.dtype)
    dy = rng.standard_normal(case.shape, dtype=kind).astype(case.dtype)
    one, zero = np.ones(channels, kind), np.zeros(channels, kind)
    return Data(x, dy, Params(one, zero), RunningStats(zero.copy(), one.copy()))


def textbook(x: Any, axis: int) -> Any:
    """The formula as everybody writes it."""
    axes = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(var + EPS)


def forward(case: Case) -> dict[str, Call]:
    """Training forward."""
    d, axis = data(case), case.axis
    calls: dict[str, Call] = {
        "copy": lambda: np.copy(d.x),
        "numpy textbook": lambda: textbook(d.x, axis),
        "anybn numpy portable": lambda: _only("portable", lambda: _train(d.x, d.params, d.state, axis)),
        "anybn numpy": lambda: _train(d.x, d.params, d.state, axis),
    }
    if find_spec("torch"):
        t = _Torch(d, case)
        calls |= {"torch": t.forward, "anybn torch": t.ours}
    if find_spec("jax"):
        calls["jax.jit"] = _jax(d.x, axis)
    return calls


def both(case: Case) -> dict[str, Call]:
    """Training forward and backward on torch tensors."""
    if not find_spec("torch"):
        return {}
    t = _Torch(data(case), case)
    return {"torch": t.both, "anybn torch": t.our_both}


def evaluate(case: Case) -> dict[str, Call]:
    """Evaluation."""
    d, axis = data(case), case.axis
    calls: dict[str, Call] = {
        "copy": lambda: np.copy(d.x),
        "anybn numpy": lambda: anybn.batch_norm(d.x, d.params, d.state, training=False, axis=axis),
    }
    if find_spec("torch"):
        t = _Torch(d, case)
        calls |= {"torch": t.evaluate, "anybn torch": t.our_evaluate}
    return calls


def _only(name: str, call: Call) -> object:
    with use(name):
        return call()


def _train(x: Any, params: Params, state: RunningStats, axis: int) -> object:
    return anybn.batch_norm(x, params, state, training=True, axis=axis)


def _jax(x: Any, axis: int) -> Call:
    import jax
    import jax.numpy as jnp

    @jax.jit
    def run(x: Any) -> Any:
        axes = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
        mean, var = jnp.mean(x, axes, keepdims=True), jnp.var(x, axes, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(var + EPS)

    there = jnp.asarray(x)
    return lambda: run(there).block_until_ready()


class _Torch:
    """torch's own batch norm and ours on the same tensors; channels last is a channels_last tensor, as torch wants it."""

    def __init__(self, d: Data, case: Case, device: str = "cpu") -> None:
        import torch
        from torch.nn import functional

        self.torch, self.native = torch, functional.batch_norm
        x, self.dy = (torch.from_numpy(one.copy()).to(device) for one in (d.x, d.dy))
        if case.axis == -1 and x.ndim > 2:
            x, self.dy = x.movedim(-1, 1), self.dy.movedim(-1, 1)
        self.x = x
        self.scale, self.offset, self.mean, self.var = (
            torch.from_numpy(one.copy()).to(device) for one in (*d.params, *d.state[:2])
        )
        self.leaves = [one.detach().clone().requires_grad_() for one in (self.x, self.scale, self.offset)]
        self.leaves[0] = self.x.detach().requires_grad_()

    def forward(self) -> object:
        return self.native(self.x, self.mean, self.var, self.scale, self.offset, True, 0.1, EPS)

    def ours(self) -> object:
        return _train(self.x, Params(self.scale, self.offset), RunningStats(self.mean, self.var), 1)

    def evaluate(self) -> object:
        return self.native(self.x, self.mean, self.var, self.scale, self.offset, False, 0.1, EPS)

    def our_evaluate(self) -> object:
        state = RunningStats(self.mean, self.var)
        return anybn.batch_norm(self.x, Params(self.scale, self.offset), state, training=False)

    def both(self) -> object:
        x, scale, offset = self.leaves
        y = self.native(x, self.mean, self.var, scale, offset, True, 0.1, EPS)
        return self.torch.autograd.grad(y, self.leaves, self.dy)

    def our_both(self) -> object:
        x, scale, offset = self.leaves
        y, _ = anybn.batch_norm(x, Params(scale, offset), RunningStats(self.mean, self.var), training=True)
        return self.torch.autograd.grad(y, self.leaves, self.dy)

    def compiled(self) -> Call:
        """torch.compile of the portable core."""
        params = Params(self.scale, self.offset)

        @self.torch.compile(fullgraph=True)  # type: ignore[untyped-decorator]
        def run(x: Any) -> Any:
            return anybn.batch_norm(x, params, training=True)[0]

        return lambda: run(self.x)
