"""The table of rules, imported when somebody asks for a rule: a run that finds everything in its cache asks for none."""

from collections.abc import Iterator, Sequence
from typing import overload

from bnlint.rules._base import Rule


class OwnRules(Sequence[Rule]):
    """:data:`bnlint.rules.table.RULES`, without its import: that is a third of the time of a warm run."""

    def _table(self) -> tuple[Rule, ...]:
        from bnlint.rules.table import RULES

        return RULES

    @overload
    def __getitem__(self, index: int) -> Rule: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rule]: ...
    def __getitem__(self, index: int | slice) -> Rule | Sequence[Rule]:
        return self._table()[index]

    def __len__(self) -> int:
        return len(self._table())

    def __iter__(self) -> Iterator[Rule]:
        yield from self._table()  # at the first of them: whoever only hands them on loads nothing


OWN = OwnRules()
