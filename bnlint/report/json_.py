"""Findings for programs. The schema is documented in docs/formats.md; `version` grows when a field changes its meaning."""

import json
from typing import Any

from bnlint import __version__
from bnlint.finding import Finding, Fix, Place
from bnlint.report.model import Report
from bnlint.report.table import Style

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
        "findings": [finding(one) for one in report.findings],
        "hidden": dict(sorted(report.hidden.items())),
        "notes": list(report.notes),
    }


def finding(one: Finding) -> dict[str, Any]:
    """One finding."""
    return {
        "code": one.code,
        "name": one.name,
        "severity": one.severity,
        "confidence": one.confidence,
        "persona": one.persona,
        "message": one.says,
        **_place(one.place),
        "related": [{**_place(place), "message": place.says} for place in one.related],
        "fix": None if one.fix is None else _fix(one.fix),
    }


def _place(place: Place) -> dict[str, Any]:
    span = place.span
    return {
        "path": place.path,
        "cell": place.cell or None,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "end_line": span.end_line if span else None,
        "end_column": span.end_column if span else None,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {"title": fix.title, "safety": fix.safety, "lines": fix.lines}
