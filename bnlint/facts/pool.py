"""A pool of processes in which a dead or stuck worker costs one task, not the run.

``concurrent.futures`` gives up a whole pool when one worker dies and cannot stop a task that takes too long; LibCST's
native parser can overflow the stack of its process, so both must be survived.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from bnlint.facts.deep import in_deep_thread

_AHEAD = 2  # a worker is given its next task before it has finished the last one
Work = Callable[..., Any]
# Told how many tasks are done and how many there are; set by who has a terminal to show it on.
watchers: list[Callable[[int, int], None]] = []


class Outcome(NamedTuple):
    """What became of task number `number`: its result, or the sentence that says why there is none."""

    number: int
    result: Any = None
    failure: str | None = None


def _serve(connection: Connection, others: list[Connection], work: Work) -> None:
    """The life of a worker: read tasks without pause (so that the parent never blocks), work in a deep thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # syntax trees and facts have no cycles, and collecting garbage took half the time
    for other in others:
        other.close()
    tasks: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, tasks), daemon=True).start()

    def loop() -> None:
        while True:
            task = tasks.get()
            try:
                answer: tuple[Any, str | None] = work(*task), None
            except RecursionError:
                answer = (None, "nested too deeply to be analysed")
            except Exception as error:
                answer = (None, f"the analysis failed: {type(error).__name__}: {error}")
            connection.send(answer)

    with contextlib.suppress(OSError):
        in_deep_thread(loop)
    os._exit(0)  # the parent has what it wants; interpreter shutdown would only cost time


def _receive(connection: Connection, tasks: "SimpleQueue[Any]") -> None:
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)  # whoever asked is gone, killed perhaps: a task of minutes would go on for nobody


class _Worker:
    def __init__(self, work: Work, context: Any, others: list[Connection]) -> None:
        self.connection, theirs = context.Pipe()
        siblings = [*others, self.connection] if context.get_start_method() == "fork" else []
        self.process = context.Process(target=_serve, args=(theirs, siblings, work), daemon=True)
        self.process.start()
        theirs.close()
        self.pending: deque[tuple[int, tuple[Any, ...]]] = deque()
        self.begin()

    def begin(self) -> None:
        """From now on the first pending task takes time."""
        self.since, self.starved = time.monotonic(), starved(self.process.pid)

    def late(self, limit: float) -> bool:
        """Whether the first task has had more time than `limit`; what it waited for a processor is not its own."""
        if not self.pending or time.monotonic() - self.since <= limit:
            return False
        return time.monotonic() - self.since - (starved(self.process.pid) - self.starved) > limit

    def give(self, number: int, task: tuple[Any, ...]) -> None:
        if not self.pending:
            self.begin()
        self.pending.append((number, task))
        with contextlib.suppress(OSError):  # a dead worker is noticed when its answer is awaited
            self.connection.send(task)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def starved(pid: int | None) -> float:
    """Seconds that the threads of a process were ready to run and had no processor; 0 where the system does not tell.

    On a machine that others keep busy, work of a minute takes ten on the clock, and is no hang.
    """
    total = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, LookupError, ValueError):
            total += int(file.read_bytes().split()[1])
    return total / 1e9


def _context() -> Any:
    # Forking is by far the cheapest, and safe only while no other thread can hold a lock.
    fork = sys.platform.startswith("linux") and threading.active_count() == 1
    return multiprocessing.get_context("fork" if fork else "spawn")


def run(
    work: Work, tasks: Iterable[tuple[Any, ...]], *, jobs: int, limit: float, ahead: int = _AHEAD
) -> Iterator[Outcome]:
    """Yield the outcome of ``work(*task)`` for each task, in the order they are done.

    Parameters
    ----------
    work
        A function of a module (it must pickle).
    tasks
        Tuples of arguments.
    jobs
        Number of processes, at least 1.
    limit
        Seconds one task may take, not counting those in which it has no processor.
    ahead
        Tasks a worker has in hand: 1 where they are few and large, so that none waits for another.
    """
    waiting = deque(enumerate(tasks))
    total = len(waiting)
    context = _context()
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.pending for worker in workers):
            while len(workers) < min(jobs, len(waiting) + sum(1 for w in workers if w.pending)):
                workers.append(_Worker(work, context, [worker.connection for worker in workers]))
            _feed(workers, waiting, ahead)
            yield from _answers(workers, waiting, limit)
            left = len(waiting) + sum(len(worker.pending) for worker in workers)
            for watch in watchers:
                watch(total - left, total)
    finally:
        for worker in workers:
            worker.stop()


def _feed(workers: list[_Worker], waiting: deque[tuple[int, tuple[Any, ...]]], ahead: int) -> None:
    for depth in range(ahead):
        for worker in workers:
            if waiting and len(worker.pending) == depth:
                worker.give(*waiting.popleft())


def _answers(workers: list[_Worker], waiting: deque[tuple[int, tuple[Any, ...]]], limit: float) -> Iterator[Outcome]:
    by_connection = {worker.connection: worker for worker in workers}
    for connection in wait(list(by_connection), timeout=min(1.0, limit / 4)):
        worker = by_connection[connection]
        try:
            result, failure = worker.connection.recv()
        except (EOFError, OSError):
            yield from _bury(
                worker, workers, waiting, "the analysis ended its process (nested too deeply, or out of memory)"
            )
            continue
        number, _ = worker.pending.popleft()
        worker.begin()
        yield Outcome(number, result, failure)
    for worker in list(workers):
        if worker.late(limit):
            yield from _bury(worker, workers, waiting, f"the analysis took longer than {limit:g} seconds")


def _bury(
    worker: _Worker, workers: list[_Worker], waiting: deque[tuple[int, tuple[Any, ...]]], reason: str
) -> Iterator[Outcome]:
    """The first task in hand is the one that failed; the others are done again by somebody else."""
    worker.stop()
    workers.remove(worker)
    if worker.pending:
        number, _ = worker.pending.popleft()
        yield Outcome(number, None, reason)
    waiting.extendleft(reversed(worker.pending))
