"""JUnit XML: one test case a finding, so that any CI can show them."""

import re
from xml.sax.saxutils import escape, quoteattr

from bnlint.finding import Finding
from bnlint.report.model import Report
from bnlint.report.table import Style

# XML 1.0 has no way to write these, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, _: Style) -> str:
    """The report as a test suite: a finding fails, a note was skipped; without either it has one test that passes."""
    notes = sum(finding.severity == "note" for finding in report.findings)
    count = len(report.findings)
    sums = f'tests="{max(1, count)}" failures="{count - notes}" errors="0" skipped="{notes}"'
    cases = [_case(finding, report) for finding in report.findings] or [
        '    <testcase classname="bnlint" name="nothing to report" time="0"/>'
    ]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="utf-8"?>',
            f'<testsuites name="bnlint" {sums} time="0">',
            f'  <testsuite name="bnlint" {sums} time="0">',
            *cases,
            "  </testsuite>",
            "</testsuites>",
            "",
        ]
    )


def _case(finding: Finding, report: Report) -> str:
    place = finding.place
    lines = report.lines_in_file(place)
    line = f' line="{lines[0]}"' if lines else ""
    whole = escape(_clean(f"{place.where()}: {finding.code} {finding.says}"))
    says = f"message={_attribute(finding.says)}"
    kind = (
        f"<skipped {says}/>"
        if finding.severity == "note"
        else f'<failure type="{finding.severity}" {says}>{whole}</failure>'
    )
    return (
        f"    <testcase classname={_attribute(place.text)} name={_attribute(f'{finding.code} {finding.name}')} "
        f'file={_attribute(place.path)}{line} time="0">\n'
        f"      {kind}\n"
        "    </testcase>"
    )


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))
