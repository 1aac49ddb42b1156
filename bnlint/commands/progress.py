"""A progress bar on the terminal, for runs that take longer than a moment."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 1.0  # seconds before anything is shown
_WIDTH = 30


@contextmanager
def progress(*, on: bool) -> Iterator[None]:
    """Show how far the processes are, and leave the line clean."""
    if not on:
        yield
        return
    from bnlint.facts import pool

    start = time.monotonic()
    shown = False

    def watch(done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - start > _PATIENCE and total:
            bar = "#" * (_WIDTH * done // total)
            sys.stderr.write(f"\r[{bar:<{_WIDTH}}] {done:,} of {total:,}\x1b[K")
            sys.stderr.flush()
            shown = True

    pool.watchers.append(watch)
    try:
        yield
    finally:
        pool.watchers.remove(watch)
        if shown:
            sys.stderr.write("\r\x1b[K")
