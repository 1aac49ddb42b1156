"""Compile ahead what the first calls would compile: ``python -m anybn.kernels.compile [DTYPE ...]``.

For images of containers, clusters and CI: one process compiles, all others load. Numba keeps the code by processor model, below
``NUMBA_CACHE_DIR`` if that is set, else next to the files of this package.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from anybn.kernels import numba_cpu
from anybn.plan import plan

if TYPE_CHECKING:
    from anybn.kernels.numba_drive import Job

DTYPES = ("float32", "float64", "float16", "bfloat16")


class Step(NamedTuple):
    """Something to compile; ``operands`` are the memory that `run` works on."""

    says: str
    run: Callable[[], Any]
    operands: Sequence[Any]


_LAYOUTS: dict[str, tuple[tuple[int, ...], tuple[slice, ...]]] = {
    "channels first": ((4, 3, 40), ()),
    "channels last": ((400, 3), ()),
    "channels first, strided": ((4, 3, 80), (slice(None), slice(None), slice(None, None, 2))),
    "channels last, strided": ((40, 6), (slice(None), slice(None, None, 2))),
    "channels last, sliced": ((40, 6), (slice(None), slice(3))),
}
"""Shape of memory, and what is taken of it: between them, every loop."""


def steps(dtype: str) -> Iterator[Step]:
    """Yield what there is to compile for data of this dtype, the most used first; needs Numba."""
    np, drive, passes, back = numba_cpu.numpy(), numba_cpu.drive(), numba_cpu.passes(), numba_cpu.back()
    kept = np.float64 if dtype == "float64" else np.float32
    none, ones, zeros = np.empty(0, kept), np.ones(3, kept), np.zeros(3, kept)
    for layout, (shape, part) in _LAYOUTS.items():
        operands = [np.zeros(shape, drive.KINDS[dtype].dtype)[part] for _ in range(3)]
        two, three = (_job(dtype, operands[:count]) for count in (2, 3))
        calls: dict[str, tuple[Any, ...]] = {
            "training": (passes.forward, two, 1.0, none, none),
            "gradients": (back.backward, three, 1.0, zeros, ones, none),
            "evaluation": (passes.evaluate, two, 1.0, zeros, ones, none, none),
        }
        if not part:  # else these are what the others do
            calls["training in parts"] = passes.forward_in_parts, two, 1.0, none, none
            calls["gradients in parts"] = back.backward_in_parts, three, 1.0, zeros, ones, none
            calls["evaluation in parts"] = passes.evaluate_in_parts, two, 1.0, zeros, ones, none, none
        for says, (function, *given) in calls.items():
            yield Step(f"{layout}: {says}", partial(function, *given), operands)
    numbers = 0, 3, 40, zeros, ones, *passes.UNMOVED
    yield Step("running statistics", partial(passes.nl.learn, drive.KINDS[dtype], *numbers), [])


def _job(dtype: str, operands: Sequence[Any]) -> "Job":
    strides = tuple(one.strides for one in operands)
    addresses = tuple(int(one.ctypes.data) for one in operands)
    planned = plan(operands[0].shape, 1)
    job: Job = numba_cpu.drive().job(dtype, planned, strides, operands[0].itemsize, addresses, lambda: 1)
    return job


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile for the dtypes that are named, and say what is done; return the exit status."""
    parser = argparse.ArgumentParser("python -m anybn.kernels.compile", description="Compile the CPU kernels ahead.")
    parser.add_argument("dtype", nargs="*", help=f"{', '.join(DTYPES)} (float32 if none is named)")
    wanted = parser.parse_args(arguments).dtype or ["float32"]
    unknown = [dtype for dtype in wanted if dtype not in DTYPES]
    if unknown:
        return _fail(f"no kernels for dtype {', '.join(unknown)}; there are some for {', '.join(DTYPES)}")
    missing = numba_cpu.missing()
    if missing:
        return _fail(missing)
    for dtype in wanted:
        todo = list(steps(dtype))
        for i, step in enumerate(todo, 1):
            print(f"{dtype} {i}/{len(todo)} {step.says} ", end="", flush=True)
            start = time.perf_counter()
            step.run()
            print(f"{time.perf_counter() - start:.1f} s", flush=True)
    folder = numba_cpu.folder()
    if folder is None:
        return _fail("no directory can be written to, so nothing is kept; set NUMBA_CACHE_DIR to one that can")
    print(f"kept in {folder}")
    return 0


def _fail(why: str) -> int:
    print(f"anybn: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
