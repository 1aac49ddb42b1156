"""What holds for all tests: a missing library is never silent, and where it is promised it is an error."""

import importlib.util
import os
import re
from collections import Counter

import pytest

OPTIONAL = {
    "array_api_extra", "array_api_strict", "cupy", "dask", "distributed", "equinox", "flax", "haiku", "jax", "keras", "ml_dtypes", "mpi4py", "ndonnx", "numba", "numpy",
    "onnx", "onnxruntime", "optax", "pyspark", "ray", "safetensors", "tensorflow", "tf_keras", "tf_slim", "torch", "tqdm",
}  # fmt: skip
MISSING = re.compile(
    r"could not import '([\w.]+)'|No module named '([\w.]+)'|needs (\w+(?:, \w+)*)(?:$| for the blocks)|([\w.]+) is not installed"
)
_missing: Counter[str] = Counter()
_others: Counter[str] = Counter()


def pytest_configure(config):
    """A slow machine is no failure of a property: Hypothesis' two checks of time are off, all its others are on."""
    if importlib.util.find_spec("hypothesis") is None:
        return
    from hypothesis import HealthCheck, settings

    settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("house")


def pytest_sessionstart(session):
    """`ANYBN_REQUIRE="numpy torch"` turns a missing library from a skip into a failure (tox sets it)."""
    absent = [name for name in os.environ.get("ANYBN_REQUIRE", "").split() if importlib.util.find_spec(name) is None]
    if absent:
        pytest.exit(f"promised by ANYBN_REQUIRE, but not installed: {', '.join(absent)}", returncode=3)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """A test file that imports a library which is not here is skipped and counted, like a test that asks for it."""
    report = yield
    if (
        report.failed
        and (found := re.search(r"^E +ModuleNotFoundError: No module named '(\w+)", str(report.longrepr), re.MULTILINE))
        and found[1] in OPTIONAL
    ):
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 1, f"Skipped: could not import '{found[1]}'")
    return report


def _count(report):
    if not report.skipped:
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if (found := MISSING.search(reason)) is None:
        _others[reason] += 1
        return
    names = next(group for group in found.groups() if group)
    _missing.update(name.split(".")[0] for name in names.split(", "))


def pytest_runtest_logreport(report):
    _count(report)


def pytest_collectreport(report):
    _count(report)


def pytest_terminal_summary(terminalreporter):
    """Close every run with what was not there, and how many tests that cost."""
    missing = ", ".join(f"{name} ({count} skipped)" for name, count in sorted(_missing.items()))
    terminalreporter.write_line(f"missing libraries: {f'{len(_missing)}: {missing}' if missing else 'none'}")
    for reason, count in sorted(_others.items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")
