"""What a run has to say, before anybody formats it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from bnlint.finding import Finding, Place
from bnlint.rules._base import Meta, Rule
from bnlint.source import Span


class Report(NamedTuple):
    """Findings with lines and columns, sorted, and what is needed to show them.

    `hidden` counts what was found and is not shown, by reason; `excerpts` holds, for each path, the lines around the
    places of the findings, by number; `notes` are sentences about the run itself; `changes` says what each fix would
    change, if the format asked for that; `cells` holds, by the name of a notebook's cell, the line of the file for each
    line of the cell.
    """

    findings: tuple[Finding, ...]
    hidden: Counter[str]
    excerpts: dict[str, dict[int, str]]
    files: int
    rules: Sequence[Rule]
    notes: tuple[str, ...] = ()
    changes: Mapping[Finding, tuple[tuple[Span, str], ...]] = MappingProxyType({})
    cells: Mapping[str, Sequence[int]] = MappingProxyType({})

    def lines_in_file(self, place: Place) -> tuple[int, int] | None:
        """First and last line of a place in its file, for readers that know nothing of cells."""
        if place.span is None:
            return None
        lines = self.cells.get(place.text)
        if not lines:
            return place.span.line, place.span.end_line
        first, last = (lines[min(line, len(lines)) - 1] for line in (place.span.line, place.span.end_line))
        return first, last

    def metas(self) -> dict[str, Meta]:
        """The rules' Meta by code."""
        return {rule.meta.code: rule.meta for rule in self.rules}
