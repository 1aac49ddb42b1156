"""The comparison on a GPU: our CuPy loops, textbook CuPy, torch's native operation, torch.compile, and the copy that is the limit."""

from typing import Any

import anybn
from anybn import Params
from benchmarks.cases import EPS, Call, Case, data
from benchmarks.machine import describe
from benchmarks.measure import side_by_side

CASES = tuple(
    Case(shape, axis, layout, dtype)
    for dtype in ("float32", "float16")
    for shape, axis, layout in (
        ((256, 64, 112, 112), 1, "NCHW"),
        ((256, 256, 56, 56), 1, "NCHW"),
        ((256, 2048, 7, 7), 1, "NCHW"),
        ((16, 3, 1024, 1024), 1, "NCHW"),
        ((64, 112, 112, 64), -1, "NHWC"),
        ((65536, 1024), 1, "NC"),
        ((1 << 22, 4), 1, "NC"),
    )
)


def measure(device: str, seconds: float) -> dict[str, Any]:
    """Return the results as `benchmarks.__main__` writes them; bytes per second beside each time."""
    import cupy as cp

    rows = []
    for case in CASES:
        for op, calls in _operations(cp, case).items():
            times = side_by_side(calls, seconds=seconds, settle=cp.cuda.Device().synchronize)
            # forward: two reads and one write; backward: four reads and one write; a copy: one and one.
            moved = {"forward": 3, "backward": 5}[op] * case_bytes(case)
            copied = 2 * case_bytes(case) / times["copy"].best
            shares = {name: moved / time.best / copied for name, time in times.items() if name != "copy"}
            rows.append(
                {
                    "case": case.name,
                    "op": op,
                    "times": {k: v._asdict() for k, v in times.items()},
                    "share_of_copy": shares,
                }
            )
            print(op, case.name, "  ".join(f"{name} {share:.0%}" for name, share in shares.items()), flush=True)
        cp.get_default_memory_pool().free_all_blocks()
    return {"machine": {**describe(0), "device": device}, "main": rows}


def case_bytes(case: Case) -> int:
    """Bytes of x."""
    size = {"float16": 2, "float32": 4, "float64": 8}[case.dtype]
    for one in case.shape:
        size *= one
    return size


def _operations(cp: Any, case: Case) -> dict[str, dict[str, Call]]:
    small = data(
        case._replace(
            shape=tuple(min(one, 4) if i != case.axis % len(case.shape) else one for i, one in enumerate(case.shape))
        )
    )
    x = cp.random.standard_normal(case.shape, dtype=cp.float32).astype(case.dtype) + 3
    dy = x - 3
    scale, offset = (cp.asarray(one) for one in small.params)
    params = Params(scale, offset)
    forward: dict[str, Call] = {
        "copy": x.copy,
        "anybn cupy": lambda: anybn.batch_norm(x, params, training=True, axis=case.axis),
        "cupy textbook": lambda: _textbook(cp, x, case.axis),
    }
    backward: dict[str, Call] = {
        "copy": x.copy,
        "anybn cupy": lambda: anybn.batch_norm_backward(dy, x, params, training=True, axis=case.axis),
    }
    try:
        import torch
    except ImportError:
        return {"forward": forward, "backward": backward}
    t, g = (torch.from_dlpack(one) for one in (x, dy))
    if case.axis == -1 and t.ndim > 2:
        t, g = t.movedim(-1, 1), g.movedim(-1, 1)
    w, b = torch.from_dlpack(scale), torch.from_dlpack(offset)
    native = torch.nn.functional.batch_norm
    forward["torch"] = lambda: native(t, None, None, w, b, True, 0.1, EPS)
    forward["anybn torch"] = lambda: anybn.batch_norm(t, Params(w, b), training=True)
    leaf = t.detach().requires_grad_()
    y = native(leaf, None, None, w, b, True, 0.1, EPS)
    backward["torch"] = lambda: torch.autograd.grad(y, leaf, g, retain_graph=True)
    ours, _ = anybn.batch_norm(leaf, Params(w, b), training=True)
    backward["anybn torch"] = lambda: torch.autograd.grad(ours, leaf, g, retain_graph=True)
    return {"forward": forward, "backward": backward}


def _textbook(cp: Any, x: Any, axis: int) -> Any:
    axes = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    return (x - mean) / cp.sqrt(var + EPS)
