"""What a rule reports: plain data, picklable, without any syntax tree.

A rule knows records by their number (`at`, see :mod:`bnlint.facts.model`); lines and columns are filled in later, by
:mod:`bnlint.run`, for what is really reported. Severity says how bad it is if true, confidence how sure the analysis
is, persona who wants to hear it.
"""

from typing import Literal, NamedTuple

from bnlint.source import Span

Severity = Literal["error", "warning", "info", "note"]
Confidence = Literal["high", "medium", "low"]
Persona = Literal["regular", "pedantic", "auditor"]
Safety = Literal["safe", "unsafe", "advice"]


class Place(NamedTuple):
    """A record in a file, with what is to be said of it; `span` is None until it is located.

    In a notebook `cell` is the number of the cell, from 1, and `span` counts within it.
    """

    path: str
    at: int
    says: str = ""
    span: Span | None = None
    cell: int = 0

    @property
    def text(self) -> str:
        """Name of the text that `span` counts in: the file, or a cell of a notebook."""
        return f"{self.path}:cell {self.cell}" if self.cell else self.path

    def where(self) -> str:
        """``path:line:column``, as far as it is known."""
        return f"{self.text}:{self.span.line}:{self.span.column}" if self.span is not None else self.text


class Edit(NamedTuple):
    """One change of one record: a verb of :mod:`bnlint.fixes.verbs` with its words; ``@12`` stands for the code of record 12."""

    at: int
    verb: str
    words: tuple[str, ...] = ()


class Fix(NamedTuple):
    """A repair. `advice` has no edits: `lines` are shown to be written by hand."""

    title: str
    safety: Safety
    edits: tuple[Edit, ...] = ()
    lines: str = ""


def unsafe(title: str, edits: tuple[Edit, ...]) -> Fix | None:
    """A repair that changes results; None where there is nothing to edit."""
    return Fix(title, "unsafe", edits) if edits else None


class Finding(NamedTuple):
    """One mistake at one place, with the places that led to it, in the order a reader follows them."""

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    persona: Persona
    place: Place
    says: str
    related: tuple[Place, ...] = ()
    fix: Fix | None = None
