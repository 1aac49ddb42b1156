"""The benchmark's own arithmetic: ratios, the headline table, the marks in the README."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
pytest.importorskip("numpy")

from benchmarks.__main__ import as_row  # noqa: E402
from benchmarks.headline import MARKED, markdown  # noqa: E402
from benchmarks.measure import Time, side_by_side  # noqa: E402
from benchmarks.report import filled  # noqa: E402

RESULTS = {
    "machine": {"processor": "Test CPU", "threads": 1, "versions": {"torch": "2.0"}},
    "main": [
        as_row(
            "NCHW 8x8 float32",
            "forward",
            {"copy": Time(1, 1, 0), "torch": Time(6, 6, 0), "anybn numpy": Time(2, 2, 0)},
        )
    ],
    "error": {"means": [0.0], "y": {"NC": {"anybn": [4e-7], "torch": [5.0]}}},
}


def test_calls_take_turns():
    """Every implementation is called equally often, one after the other."""
    order = []
    times = side_by_side({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, seconds=0)
    assert order[4:8] == ["a", "b", "a", "b"]
    assert order.count("a") == order.count("b")
    assert all(0 < time.best <= time.median for time in times.values())


def test_ratios_are_others_over_ours_and_ours_over_a_copy():
    """Above one means that we are faster, but for the copy, which is the limit."""
    times = {name: Time(best, best, 0.0) for name, best in (("copy", 1.0), ("torch", 6.0), ("anybn numpy", 2.0))}
    row = as_row("NCHW 8x8 float32", "forward", times)
    assert row["ratios"] == {"torch / anybn numpy": 3.0, "anybn numpy / copy": 2.0}


def test_the_headline_names_the_machine_and_the_error():
    """Speed is never shown without the machine and without the error."""
    text = markdown(RESULTS)
    assert "| NCHW 8x8 | 3.0 × | – | – | 2.0 × |" in text
    assert "Test CPU" in text
    assert "4.0e-07 (torch: 5.0e+00)" in text


def test_only_the_text_between_the_marks_changes(tmp_path):
    """Writing replaces what stands between the marks, and a page without marks is refused."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- speed: begin -->\nold\n<!-- speed: end -->\nafter\n", "utf-8")
    assert MARKED.sub(lambda found: found[1] + "new\n" + found[2], page.read_text("utf-8")) == (
        "before\n<!-- speed: begin -->\nnew\n<!-- speed: end -->\nafter\n"
    )
    bare = tmp_path / "bare.md"
    bare.write_text("nothing\n", "utf-8")
    results = tmp_path / "results.json"
    results.write_text(json.dumps(RESULTS), "utf-8")
    command = [sys.executable, "-m", "benchmarks.headline", "--results", str(results), "--write", str(bare)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert bare.read_text("utf-8") == "nothing\n"


def test_the_page_has_each_row_and_what_a_thread_brings():
    """Microseconds in the order of the columns; ratios with each number of threads, and ours with one over ours with all."""
    one, two = ({"torch": Time(t, t, 0), "anybn torch": Time(o, o, 0)} for t, o in ((6e-6, 2e-6), (4e-6, 1e-6)))
    found = {count: [as_row("NC 8x8 float32", "forward", times)] for count, times in (("1", one), ("2", two))}
    assert filled("{{ threads }}", RESULTS | {"threads": found}).endswith(
        "| NC 8x8 | forward | 3.0 × | 4.0 × | 2.0 × |"
    )
    row = as_row("NC 8x8 float32", "forward", one)
    assert filled("{{ forward }}", RESULTS | {"main": [row]}).endswith("| NC 8x8 | 2 | 6 |")
