"""One line a finding: ``path:line:column: CODE message``."""

from bnlint.report.model import Report
from bnlint.report.paint import paint
from bnlint.report.table import Style


def render(report: Report, style: Style) -> str:
    """All findings, one a line."""
    ink = paint(colour=style.colour)
    lines = [f"{ink.bold(f.place.where())}: {ink.severity(f.severity, f.code)} {f.says}" for f in report.findings]
    if style.statistics and report.findings:
        from bnlint.report.text import statistics

        lines.extend(["", *statistics(report)])
    return "".join(f"{line}\n" for line in lines)
