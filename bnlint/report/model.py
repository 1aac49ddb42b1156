"""What a run has to say, before anybody formats it."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from bnlint.finding import Finding
from bnlint.rules._base import Meta, Rule
from bnlint.source import Span


class Report(NamedTuple):
    """Findings with lines and columns, sorted, and what is needed to show them.

    `hidden` counts what was found and is not shown, by reason; `excerpts` holds, for each path, the lines around the
    places of the findings, by number; `notes` are sentences about the run itself; `changes` says what each fix would
    change, if the format asked for that.
    """

    findings: tuple[Finding, ...]
    hidden: Counter[str]
    excerpts: dict[str, dict[int, str]]
    files: int
    rules: tuple[Rule, ...]
    notes: tuple[str, ...] = ()
    changes: Mapping[Finding, tuple[tuple[Span, str], ...]] = MappingProxyType({})

    def metas(self) -> dict[str, Meta]:
        """The rules' Meta by code."""
        return {rule.meta.code: rule.meta for rule in self.rules}
