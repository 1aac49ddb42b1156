"""GitLab's code quality report."""

import json
from collections import Counter

from bnlint.report.model import Report
from bnlint.report.table import Style
from bnlint.triage.baseline import fingerprint

_LEVEL = {"error": "critical", "warning": "major", "info": "minor", "note": "info"}


def render(report: Report, _: Style) -> str:
    """All findings as a JSON list."""
    seen: Counter[str] = Counter()
    issues = []
    for finding in report.findings:
        mark = f"{finding.place.path}:{fingerprint(finding, report.excerpts)}"
        seen[mark] += 1
        begin, end = report.lines_in_file(finding.place) or (1, 1)
        issues.append(
            {
                "description": f"cell {cell}: {finding.says}" if (cell := finding.place.cell) else finding.says,
                "check_name": f"{finding.code} {finding.name}",
                "fingerprint": f"{mark}:{seen[mark]}",
                "severity": _LEVEL[finding.severity],
                "location": {"path": finding.place.path, "lines": {"begin": begin, "end": end}},
            }
        )
    return json.dumps(issues, indent=2, ensure_ascii=False) + "\n"
