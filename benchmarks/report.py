"""The results as the tables of the documentation's page on speed."""

from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.headline import markdown

Results = dict[str, Any]
TITLES = {
    "batch": "N, the batch",
    "channels": "C, the channels",
    "space": "height and width",
    "dtype": "dtype",
}
SHOWN = ("copy", "anybn numpy", "anybn torch", "torch", "jax.jit", "anybn numpy portable", "numpy textbook")


def filled(template: str, results: Results) -> str:
    """Return the template with each ``{{ name }}`` replaced by its table."""
    for name, table in TABLES.items():
        mark = "{{ " + name + " }}"
        if mark in template:
            template = template.replace(mark, table(results))
    return template


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _short(case: str) -> str:
    return case.removesuffix(" float32")


def _microseconds(row: Results, name: str) -> str:
    return f"{row['times'][name]['best'] * 1e6:,.0f}" if name in row["times"] else "–"


def times(rows: list[Results]) -> str:
    """Microseconds of the best call of each implementation."""
    names = [name for name in SHOWN if any(name in row["times"] for row in rows)]
    return _table(
        ["µs", *names], ([_short(row["case"]), *(_microseconds(row, name) for name in names)] for row in rows)
    )


def _of(op: str) -> Callable[[Results], str]:
    return lambda results: times([row for row in results["main"] if row["op"] == op])


def scaling(results: Results) -> str:
    """One table for each axis that grows."""
    return "\n\n".join(f"### {TITLES[axis]}\n\n{times(rows)}" for axis, rows in results["scaling"].items())


def threads(results: Results) -> str:
    """torch's time over ours with the same number of threads, and what the last thread brings to us."""
    found: dict[str, list[Results]] = results["threads"]
    first, last = next(iter(found)), list(found)[-1]
    lines = []
    for pair in zip(*found.values(), strict=True):
        ratios = [row["times"]["torch"]["best"] / row["times"]["anybn torch"]["best"] for row in pair]
        gain = pair[0]["times"]["anybn torch"]["best"] / pair[-1]["times"]["anybn torch"]["best"]
        lines.append([_short(pair[0]["case"]), pair[0]["op"], *(f"{one:.1f} ×" for one in ratios), f"{gain:.1f} ×"])
    head = ["", "", *(f"torch / ours, {count} thread(s)" for count in found), f"ours, {first} over {last} threads"]
    return _table(head, lines)


def memory(results: Results) -> str:
    """Peak extra bytes over the bytes of y."""
    rows = results["memory"].items()
    return _table(
        ["peak over one output", "anybn", "numpy textbook"],
        ([_short(case), f"{one['anybn']:.3f}", f"{one['numpy textbook']:.3f}"] for case, one in rows),
    )


TABLES: dict[str, Callable[[Results], str]] = {
    "headline": markdown,
    "forward": _of("forward"),
    "evaluate": _of("evaluate"),
    "both": _of("forward+backward"),
    "scaling": scaling,
    "threads": threads,
    "memory": memory,
}
