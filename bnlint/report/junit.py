"""JUnit XML: one test case a finding, so that any CI can show them."""

import re
from xml.sax.saxutils import escape, quoteattr

from bnlint.finding import Finding
from bnlint.report.model import Report
from bnlint.report.table import Style

# XML 1.0 has no way to write these, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, _: Style) -> str:
    """The report as a test suite; without a finding it has one test that passes."""
    failures = len(report.findings)
    cases = [_case(finding) for finding in report.findings] or [
        '    <testcase classname="bnlint" name="nothing to report"/>'
    ]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="utf-8"?>',
            f'<testsuites name="bnlint" tests="{max(1, failures)}" failures="{failures}">',
            f'  <testsuite name="bnlint" tests="{max(1, failures)}" failures="{failures}" errors="0">',
            *cases,
            "  </testsuite>",
            "</testsuites>",
            "",
        ]
    )


def _case(finding: Finding) -> str:
    place = finding.place
    line = f" line={quoteattr(str(place.span.line))}" if place.span else ""
    return (
        f"    <testcase classname={_attribute(place.text)} name={_attribute(f'{finding.code} {finding.name}')} "
        f"file={_attribute(place.path)}{line}>\n"
        f"      <failure type={_attribute(finding.severity)} message={_attribute(finding.says)}>"
        f"{escape(_clean(f'{place.where()}: {finding.code} {finding.says}'))}</failure>\n"
        "    </testcase>"
    )


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))
