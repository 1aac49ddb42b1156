"""Findings for people: message, code frame, the places that led there, why it matters, how to repair it."""

from collections.abc import Iterator, Mapping

from bnlint.finding import Finding, Place
from bnlint.rules._base import Meta
from bnlint.run import Report

_MARGIN = "    "


def render(report: Report) -> str:
    """The whole report as text."""
    metas = {rule.meta.code: rule.meta for rule in report.rules}
    parts = ["\n".join(_finding(finding, report.excerpts, metas.get(finding.code))) for finding in report.findings]
    return "\n\n".join([*parts, _summary(report)]) + "\n"


def _finding(finding: Finding, excerpts: Mapping[str, Mapping[int, str]], meta: Meta | None) -> Iterator[str]:
    yield f"{_where(finding.place)}: {finding.severity}[{finding.code}] {finding.says}"
    yield from _frame(finding.place, excerpts)
    for place in finding.related:
        yield f"{_MARGIN}{_where(place)}: {place.says}"
        yield from _frame(place, excerpts, around=0)
    if meta is not None:
        yield f"{_MARGIN}why: {meta.why}"
    if finding.fix is not None:
        yield f"{_MARGIN}fix ({finding.fix.safety}): {finding.fix.title}"
        for line in finding.fix.lines.splitlines():
            yield f"{_MARGIN}  {line}"


def _where(place: Place) -> str:
    return f"{place.path}:{place.span.line}:{place.span.column}" if place.span else place.path


def _frame(place: Place, excerpts: Mapping[str, Mapping[int, str]], *, around: int = 1) -> Iterator[str]:
    lines = excerpts.get(place.path, {})
    span = place.span
    if span is None or span.line not in lines:
        return
    numbers = [number for number in range(span.line - around, span.line + around + 1) if number in lines]
    width = len(str(numbers[-1]))
    for number in numbers:
        text = lines[number].expandtabs(4)
        yield f"{_MARGIN}{number:>{width}} | {text}".rstrip()
        if number == span.line:
            yield f"{_MARGIN}{'':>{width}} | {_underline(lines[number], place)}"


def _underline(line: str, place: Place) -> str:
    assert place.span is not None
    end = place.span.end_column if place.span.end_line == place.span.line else len(line.rstrip()) + 1
    before = len(line[: place.span.column - 1].expandtabs(4))
    marked = len(line[: end - 1].expandtabs(4)) - before
    return " " * before + "^" * max(1, marked)


def _summary(report: Report) -> str:
    count = len(report.findings)
    files = f"{report.files} file{'s' if report.files != 1 else ''}"
    if not count:
        return f"Nothing to report in {files}."
    where = len({finding.place.path for finding in report.findings})
    return f"{count} finding{'s' if count != 1 else ''} in {where} of {files}."
