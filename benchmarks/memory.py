"""Peak extra bytes of one training forward, as multiples of the output, beside the textbook's."""

import tracemalloc
from collections.abc import Callable

import anybn
from benchmarks.cases import MAIN, data, textbook


def peaks() -> dict[str, dict[str, float]]:
    """Return {case: {implementation: peak bytes over bytes of y}} on NumPy arrays."""
    found = {}
    for case in MAIN:
        d = data(case)
        found[case.name] = {
            "anybn": _peak(lambda d=d, case=case: anybn.batch_norm(d.x, d.params, training=True, axis=case.axis))
            / d.x.nbytes,  # type: ignore[misc]
            "numpy textbook": _peak(lambda d=d, case=case: textbook(d.x, case.axis)) / d.x.nbytes,  # type: ignore[misc]
        }
    return found


def _peak(call: Callable[[], object]) -> int:
    call()
    tracemalloc.start()
    call()
    worst = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return worst
