"""Measuring side by side: one call of each in turn, the best and the spread of each."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

Call = Callable[[], object]


class Time(NamedTuple):
    """Seconds: the best call, the median, and the spread (the upper quartile over the best, minus one)."""

    best: float
    median: float
    spread: float


def side_by_side(calls: dict[str, Call], *, seconds: float = 1.0, settle: Call | None = None) -> dict[str, Time]:
    """Call each in turn for about so many seconds in all, at least five times each, after two calls to warm up.

    Parameters
    ----------
    calls : dict of name to callable
    seconds : float
    settle : callable, optional
        Called before a clock is read (wait for a device).
    """
    wait = settle or (lambda: None)
    for call in calls.values():
        call()
        call()
    wait()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(taken.values()))) < 5:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            wait()
            taken[name].append(time.perf_counter() - start)
    return {name: _summary(times) for name, times in taken.items()}


def _summary(times: list[float]) -> Time:
    best = min(times)
    return Time(best, statistics.median(times), statistics.quantiles(times, n=4)[2] / best - 1)
