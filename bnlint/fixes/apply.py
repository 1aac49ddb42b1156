"""Which fixes go together, and what they make of a file."""

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bnlint.facts.model import Block
from bnlint.facts.walk import children
from bnlint.finding import Edit, Finding, Safety
from bnlint.fixes.expressions import CannotApply
from bnlint.fixes.regions import REGIONS
from bnlint.fixes.verbs import edited

LEVELS: dict[str, tuple[Safety, ...]] = {"safe": ("safe",), "unsafe": ("safe", "unsafe")}


class Attempt(NamedTuple):
    """A changed file, the findings whose fixes are in it, and those whose fixes do not fit the code, with the reason."""

    data: bytes
    applied: tuple[Finding, ...]
    refused: tuple[tuple[Finding, str], ...]


def applicable(findings: Iterable[Finding], level: str) -> list[Finding]:
    """Findings whose fix may be applied at `level` (``safe`` or ``unsafe``)."""
    return [f for f in findings if f.fix is not None and f.fix.edits and f.fix.safety in LEVELS[level]]


def compatible(findings: Sequence[Finding], body: Block) -> list[Finding]:
    """The first of every group of fixes that touch the same code; the others wait for the next round."""
    ends = _ends(body)
    taken: list[tuple[int, int]] = []
    chosen: list[Finding] = []
    for finding in findings:
        assert finding.fix is not None
        ranges = [_range(edit, ends) for edit in finding.fix.edits if edit.verb != "add_import"]
        if any(start < other_end and other < end for start, end in ranges for other, other_end in taken):
            continue
        taken.extend(ranges)
        chosen.append(finding)
    return chosen


def _range(edit: Edit, ends: dict[int, int]) -> tuple[int, int]:
    """The records an edit may change: below its own, and up to its last statement if it is of several."""
    last = int(edit.words[0]) if edit.verb in REGIONS else edit.at
    return edit.at, ends.get(last, last + 1)


def _ends(body: Block) -> dict[int, int]:
    """One past the last number below each record: numbers are given in source order, so a subtree is a range."""
    order: list[tuple[int, int]] = []
    stack = [(node, 0) for node in reversed(children(body))]
    while stack:
        node, depth = stack.pop()
        order.append((node.at, depth))
        stack.extend((child, depth + 1) for child in reversed(children(node)))
    ends: dict[int, int] = {}
    open_: list[tuple[int, int]] = []
    last = 0
    for at, depth in order:
        while open_ and open_[-1][1] >= depth:
            ends[open_.pop()[0]] = last + 1
        open_.append((at, depth))
        last = max(last, at)
    for at, _ in open_:
        ends[at] = last + 1
    return ends


def attempt(data: bytes, findings: Sequence[Finding]) -> Attempt:
    """Apply the fixes of `findings` (see :func:`compatible`) to one file; those that do not fit are left out."""
    fits: list[Finding] = []
    refused: list[tuple[Finding, str]] = []
    new = data
    try:
        new = edited(data, _edits(findings))
        return Attempt(new, tuple(findings), ())
    except CannotApply:
        pass  # one of them: find out which
    for finding in findings:
        try:
            new = edited(data, _edits([*fits, finding]))
            fits.append(finding)
        except CannotApply as error:
            refused.append((finding, str(error)))
    return Attempt(new, tuple(fits), tuple(refused))


def _edits(findings: Sequence[Finding]) -> list[Edit]:
    return [edit for finding in findings if finding.fix is not None for edit in finding.fix.edits]


def diff(path: str, before: bytes, after: bytes) -> bytes:
    """The change of one file as a unified diff in its own encoding, so that `patch` and `git apply -p0` can use it."""
    name = os.fsencode(path)
    old, new = (re.findall(rb"[^\n]*\n|[^\n]+$", data) for data in (before, after))
    lines = difflib.diff_bytes(difflib.unified_diff, old, new, name, name)
    return b"".join(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in lines)
