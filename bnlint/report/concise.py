"""One line a finding: ``path:line:column: CODE message``."""

from collections import Counter
from collections.abc import Iterator

from bnlint.report.model import Report
from bnlint.report.paint import paint
from bnlint.report.table import Style
from bnlint.report.visible import visible_report


def render(report: Report, style: Style) -> str:
    """All findings, one a line."""
    ink = paint(colour=style.colour)
    report = visible_report(report)
    lines = [f"{ink.bold(f.place.where())}: {ink.severity(f.severity, f.code)} {f.says}" for f in report.findings]
    if style.statistics and report.findings:
        lines.extend(["", *statistics(report)])
    return "".join(f"{line}\n" for line in lines)


def statistics(report: Report) -> Iterator[str]:
    """One line a rule: how often, code, name."""
    counts = Counter((finding.code, finding.name) for finding in report.findings)
    width = len(str(max(counts.values())))
    for (code, name), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"{count:>{width}}  {code} {name}"
