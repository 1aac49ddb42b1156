"""Findings for programs. The schema is docs/report.schema.json; `version` grows when a field changes its meaning."""

import json
from collections.abc import Iterable
from typing import Any

from bnlint import __version__
from bnlint.finding import Finding, Fix, Place
from bnlint.report.model import Report
from bnlint.report.table import Style
from bnlint.source import Span

VERSION = 1


def render(report: Report, _: Style) -> str:
    """The whole report as one JSON object."""
    return json.dumps(document(report), indent=2, ensure_ascii=False) + "\n"


def document(report: Report) -> dict[str, Any]:
    """The object that is written."""
    return {
        "version": VERSION,
        "tool": {"name": "bnlint", "version": __version__},
        "files": report.files,
        "findings": [finding(one, report.changes.get(one, ())) for one in report.findings],
        "hidden": dict(sorted(report.hidden.items())),
        "notes": list(report.notes),
    }


def finding(one: Finding, changes: Iterable[tuple[Span, str]] = ()) -> dict[str, Any]:
    """One finding, with the `changes` that its fix would make."""
    return {
        "code": one.code,
        "name": one.name,
        "severity": one.severity,
        "confidence": one.confidence,
        "persona": one.persona,
        "message": one.says,
        **_place(one.place),
        "related": [{**_place(place), "message": place.says} for place in one.related],
        "fix": None if one.fix is None else _fix(one.fix, changes),
    }


def _place(place: Place) -> dict[str, Any]:
    return {"path": place.path, "cell": place.cell or None, **_span(place.span)}


def _span(span: Span | None) -> dict[str, Any]:
    return dict(zip(("line", "column", "end_line", "end_column"), span or (None,) * 4, strict=True))


def _fix(fix: Fix, changes: Iterable[tuple[Span, str]]) -> dict[str, Any]:
    edits = [{**_span(span), "text": text} for span, text in changes]
    return {"title": fix.title, "safety": fix.safety, "lines": fix.lines, "edits": edits}
