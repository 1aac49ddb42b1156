"""A few waiting threads for kernels that release the GIL. They sleep when there is nothing to do, and never spin."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from itertools import pairwise
from typing import Any

Task = Callable[[], Any]
_pool: ThreadPoolExecutor | None = None
_size = 0


def run(tasks: Sequence[Task]) -> list[Any]:
    """Run all tasks, the first one here, and return what they return when all are done. The first exception is raised."""
    if len(tasks) == 1:
        return [tasks[0]()]
    waiting = [_executor(len(tasks) - 1).submit(task) for task in tasks[1:]]
    try:
        first = tasks[0]()
    finally:
        wait(waiting)  # none may still write into memory that the caller gives up
    return [first, *(one.result() for one in waiting)]


def _executor(threads: int) -> ThreadPoolExecutor:
    global _pool, _size
    if _pool is None or _size < threads:
        _pool, _size = ThreadPoolExecutor(threads, thread_name_prefix="anybn"), threads
    return _pool


def _forget() -> None:
    """A forked child has none of its parent's threads."""
    global _pool, _size
    _pool, _size = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def split(total: int, parts: int, least: int = 1) -> list[tuple[int, int]]:
    """Cut ``range(total)`` into at most ``parts`` neighbouring ranges, as even as can be, none shorter than ``least``."""
    parts = max(1, min(parts, total // least))
    edges = [total * i // parts for i in range(parts + 1)]
    return list(pairwise(edges))


def share(work: Callable[..., Any], total: int, threads: int, before: tuple[Any, ...], after: tuple[Any, ...]) -> Any:
    """Call ``work(*before, first, last, *after)`` on as many threads, each with its part of ``range(total)``; return the largest result."""
    if threads == 1:
        return work(*before, 0, total, *after)
    return max(run([partial(work, *before, *some, *after) for some in split(total, threads)]))
