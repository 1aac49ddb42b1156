"""The rows in the order in which they are asked. The portable one is last and never refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import entry_points
from typing import NamedTuple

from anybn.errors import bad_value
from anybn.kernels.base import Kernel, Request
from anybn.kernels.cupy_cuda import CUPY
from anybn.kernels.numba_cpu import NUMBA
from anybn.kernels.portable import PORTABLE
from anybn.kernels.torch_cpu import TORCH_CPU
from anybn.kernels.torch_cuda import TORCH_CUDA

OWN: tuple[Kernel, ...] = (NUMBA, TORCH_CPU, TORCH_CUDA, CUPY, PORTABLE)
"""Our rows, fastest first."""

GROUP = "anybn.kernels"
"""Entry-point group by which other packages add rows; theirs are asked before ours."""

_ONLY: ContextVar[str | None] = ContextVar("anybn_only_kernel", default=None)
_uses = 0  # contexts of `use` that are open; as long as there are none, compilers need not trace a ContextVar
_found: tuple[Kernel, ...] | None = None


def rows() -> tuple[Kernel, ...]:
    """Return all rows, third parties' first, the portable one last. Entry points are read once."""
    global _found
    if _found is None:
        theirs = tuple(point.load() for point in sorted(entry_points(group=GROUP), key=lambda point: point.name))
        _found = (*theirs, *OWN)
    return _found


def choose(request: Request) -> Kernel:
    """Return the first row that does not refuse."""
    # A compiler must not trace the search for entry points; they are read by the first call outside of one.
    known = OWN if _found is None and request.traced else rows()
    only = _only()
    for kernel in known:
        if not _shut(kernel, only) and kernel.reason(request) is None:
            return kernel
    raise AssertionError("the portable kernel refused")


class Verdict(NamedTuple):
    """One row's answer; ``reason`` None means that it serves the request."""

    kernel: str
    reason: str | None


class Verdicts(tuple[Verdict, ...]):
    """What each row says to one request; prints as a table, the chosen row marked."""

    __slots__ = ()

    def __str__(self) -> str:
        width = max(len(verdict.kernel) for verdict in self)
        return "\n".join(self._line(verdict, width) for verdict in self)

    @property
    def chosen(self) -> str:
        """Name of the row that computes."""
        return next(verdict.kernel for verdict in self if verdict.reason is None)

    def _line(self, verdict: Verdict, width: int) -> str:
        first = verdict.kernel == self.chosen
        answer = verdict.reason or ("computes this" if first else "would do it, but a faster row comes first")
        return f"{'->' if first else '  '} {verdict.kernel:<{width}}  {answer}"


def ask(request: Request) -> Verdicts:
    """Return every row's verdict on the request, in the order of the table."""
    only = _only()
    return Verdicts(
        Verdict(kernel.name, f"only {only!r} is in use" if _shut(kernel, only) else kernel.reason(request))
        for kernel in rows()
    )


def narrowed() -> bool:
    """Whether a context of `use` is open somewhere."""
    return _uses > 0


def _only() -> str | None:
    return _ONLY.get() if _uses else None


def _shut(kernel: Kernel, only: str | None) -> bool:
    return only is not None and kernel.name not in (only, PORTABLE.name)


@contextmanager
def use(name: str) -> Iterator[None]:
    """Let only this row (and the portable one behind it) compute, in this context: for debugging and for tests.

    Raises
    ------
    BadValue
        When no row has that name.
    """
    names = [kernel.name for kernel in rows()]
    if name not in names:
        raise bad_value("no such kernel", got=repr(name), expected=f"one of {names}", hint="'portable'")
    global _uses
    token = _ONLY.set(name)
    _uses += 1
    try:
        yield
    finally:
        _uses -= 1
        _ONLY.reset(token)
