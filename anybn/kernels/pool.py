"""A few waiting threads for kernels that release the GIL. They sleep when there is nothing to do, and never spin.

The caller does not wait for a thread to wake up: it goes on with the tasks that nobody has begun, so that a late thread finds
nothing left and costs nothing. Several callers share the threads: who gives the last round has the help, the others do theirs alone.
"""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Any

Task = Callable[[], Any]


class _Round:
    """The tasks of one call, begun by whoever comes first."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks, self.results = tasks, [None] * len(tasks)
        self.begun = self.ended = 0
        self.error: BaseException | None = None
        self.lock, self.all_ended = threading.Lock(), threading.Lock()
        self.all_ended.acquire()

    def work(self) -> None:
        """Do tasks until none is left that nobody has begun."""
        while (number := self._next()) is not None:
            try:
                self.results[number] = self.tasks[number]()
            except BaseException as error:
                self.error = self.error or error
            with self.lock:
                self.ended += 1
                if self.ended == len(self.tasks):
                    self.all_ended.release()

    def drop(self) -> None:
        """Count tasks that nobody has begun (the caller was interrupted) as ended."""
        with self.lock:
            left = len(self.tasks) - self.begun
            self.begun += left
            self.ended += left
            if left and self.ended == len(self.tasks):
                self.all_ended.release()

    def _next(self) -> int | None:
        with self.lock:
            if self.begun == len(self.tasks):
                return None
            self.begun += 1
            return self.begun - 1


class _Helper:
    """A thread that sleeps until it is given a round."""

    def __init__(self) -> None:
        self.round: _Round | None = None
        self.wake = threading.Lock()
        self.wake.acquire()
        threading.Thread(target=self._loop, name="anybn", daemon=True).start()

    def give(self, some: _Round) -> None:
        """Wake up for this round, or go on with it: nobody waits for a round before it that was not begun."""
        self.round = some
        with suppress(RuntimeError):  # not held: it is about to wake up anyway
            self.wake.release()

    def _loop(self) -> None:
        while True:
            self.wake.acquire()
            this, self.round = self.round, None  # what it refers to is large
            if this is not None:
                this.work()
            del this


_helpers: list[_Helper] = []


def run(tasks: Sequence[Task]) -> list[Any]:
    """Run all tasks, here and on helpers, and return what they return when all are done. The first exception is raised."""
    if len(tasks) == 1:
        return [tasks[0]()]
    this = _Round(tasks)
    while len(_helpers) < len(tasks) - 1:
        _helpers.append(_Helper())
    for helper in _helpers[: len(tasks) - 1]:
        helper.give(this)
    try:
        this.work()
    finally:
        this.drop()
        this.all_ended.acquire()  # none may still write into memory that the caller gives up
    if this.error is not None:
        raise this.error
    return this.results


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.clear)  # a child has none of its parent's threads


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
