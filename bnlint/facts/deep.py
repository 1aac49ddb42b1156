"""Room for deep programs: a raised recursion limit, and a thread with a large stack."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Python-to-Python calls need no C stack since 3.11, so deep programs mostly need the counter raised; the parsers and
# pickle do use it, which is why whole runs of them happen in a thread with a larger stack.
RECURSION_LIMIT = 20_000
_STACK = 256 * 1024 * 1024


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Raise the recursion limit, and put it back."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def in_deep_thread(work: Callable[..., Any], *args: Any) -> Any:
    """Call ``work(*args)`` where there is much stack: deep programs need it in the parsers, in pickle and in codegen."""
    box: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            box.append(work(*args))
        except BaseException as error:
            failed.append(error)

    before = threading.stack_size(_STACK)
    with deep_recursion():
        try:
            thread = threading.Thread(target=run, daemon=True)
            thread.start()
        finally:
            threading.stack_size(before)
        while thread.is_alive():
            thread.join(0.2)  # without a timeout Ctrl-C would wait for the thread
    if failed:
        raise failed[0]
    return box[0]
