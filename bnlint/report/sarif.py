"""SARIF 2.1.0, as GitHub's code scanning wants it: rules with help, related places, fixes, fingerprints."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from bnlint import __version__
from bnlint.finding import Finding, Place
from bnlint.report.model import Report
from bnlint.report.page import page
from bnlint.report.table import Style
from bnlint.rules._base import Meta
from bnlint.source import Span
from bnlint.triage.baseline import fingerprint

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_DRIVE = re.compile("[A-Za-z]:/")
_LEVEL = {"error": "error", "warning": "warning", "info": "note", "note": "note"}
_PRECISION = {"high": "very-high", "medium": "medium", "low": "low"}


def render(report: Report, _: Style) -> str:
    """The whole report as a SARIF log."""
    return json.dumps(document(report), indent=2, ensure_ascii=False) + "\n"


def document(report: Report) -> dict[str, Any]:
    """The log that is written."""
    metas = [rule.meta for rule in report.rules]
    index = {meta.code: number for number, meta in enumerate(metas)}
    driver = {
        "name": "bnlint",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(meta) for meta in metas],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The folder the linter was started in."}}},
        "invocations": [
            {"executionSuccessful": True, "toolExecutionNotifications": [_note(note) for note in report.notes]}
        ],
        "results": list(_results(report, index)),
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _note(note: str) -> dict[str, Any]:
    return {"level": "note", "message": {"text": note}}


def _rule(meta: Meta) -> dict[str, Any]:
    text = page(meta)
    rule: dict[str, Any] = {
        "id": meta.code,
        "name": "".join(word.capitalize() for word in meta.name.split("-")),
        "shortDescription": {"text": meta.name.replace("-", " ")},
        "fullDescription": {"text": meta.why},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": _LEVEL[meta.severity], "enabled": meta.persona == "regular"},
        "properties": {
            "precision": _PRECISION[meta.confidence],
            "tags": ["batch-norm", *meta.frameworks],
            "problem.severity": _problem(meta),
        },
    }
    if meta.references and meta.references[0].startswith("http"):
        rule["helpUri"] = meta.references[0]
    return rule


def _problem(meta: Meta) -> str:
    return {"error": "error", "warning": "warning"}.get(meta.severity, "recommendation")


def _results(report: Report, index: dict[str, int]) -> Iterator[dict[str, Any]]:
    """The findings; equal ones in one file are told apart by their order, so that each keeps its alert when lines move."""
    seen: Counter[tuple[str, str]] = Counter()
    for finding in report.findings:
        mark = fingerprint(finding, report.excerpts)
        seen[finding.place.path, mark] += 1
        yield _result(finding, index, report, f"{mark}:{seen[finding.place.path, mark]}")


def _result(finding: Finding, index: dict[str, int], report: Report, mark: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "level": _LEVEL[finding.severity],
        "message": {"text": finding.says},
        "locations": [_location(finding.place, report)],
        "partialFingerprints": {"bnlint/v1": mark},
        "properties": {"confidence": finding.confidence, "persona": finding.persona},
    }
    if finding.code in index:
        result["ruleIndex"] = index[finding.code]
    if finding.related:
        result["relatedLocations"] = [
            {"id": number, **_location(place, report), "message": {"text": place.says or "here"}}
            for number, place in enumerate(finding.related, 1)
        ]
    if changes := report.changes.get(finding):
        title = finding.fix.title if finding.fix is not None else "repair"
        result["fixes"] = [{"description": {"text": title}, "artifactChanges": [_change(finding.place.path, changes)]}]
    return result


def _change(path: str, changes: Iterable[tuple[Span, str]]) -> dict[str, Any]:
    replacements = [{"deletedRegion": _region(*where), "insertedContent": {"text": text}} for where, text in changes]
    return {"artifactLocation": _artifact(path), "replacements": replacements}


def _artifact(path: str) -> dict[str, Any]:
    if path.startswith("/"):
        return {"uri": "file://" + _quoted(path)}
    if _DRIVE.match(path):
        return {"uri": "file:///" + _quoted(path)}
    return {"uri": _quoted(path), "uriBaseId": "SRCROOT"}


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe="/" if not _DRIVE.match(path) else "/:")


def _region(line: int, column: int, end_line: int, end_column: int) -> dict[str, int]:
    return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}


def _location(place: Place, report: Report) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _artifact(place.path)}
    if place.cell and (lines := report.lines_in_file(place)) is not None:
        physical["region"] = {"startLine": lines[0], "endLine": lines[1]}  # columns of the cell mean nothing in JSON
    elif place.span is not None:
        physical["region"] = _region(*place.span)
    location: dict[str, Any] = {"physicalLocation": physical}
    if place.cell:
        name = f"cell {place.cell}"
        location["logicalLocations"] = [{"name": name, "fullyQualifiedName": place.where(), "kind": "module"}]
    return location
