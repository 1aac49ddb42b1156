"""Annotations of GitHub Actions: one workflow command a finding."""

from bnlint.finding import Finding
from bnlint.report.model import Report
from bnlint.report.table import Style

_LEVEL = {"error": "error", "warning": "warning", "info": "notice", "note": "notice"}


def render(report: Report, _: Style) -> str:
    """All findings as workflow commands."""
    return "".join(f"{_command(finding, report)}\n" for finding in report.findings)


def _command(finding: Finding, report: Report) -> str:
    place = finding.place
    words = {"title": f"{finding.code} {finding.name}", "file": place.path}
    if (lines := report.lines_in_file(place)) is not None:
        words |= {"line": str(lines[0]), "endLine": str(lines[1])}
    if place.span is not None and not place.cell:
        words["col"] = str(place.span.column)
        if place.span.end_line == place.span.line:
            words["endColumn"] = str(place.span.end_column)
    listed = ",".join(f"{name}={_property(value)}" for name, value in words.items())
    where = f"cell {place.cell}: " if place.cell else ""
    return f"::{_LEVEL[finding.severity]} {listed}::{_data(where + finding.says)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
