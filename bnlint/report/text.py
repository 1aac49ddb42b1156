"""Findings for people: message, code frame, the places that led there, why it matters, how to repair it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from unicodedata import combining, east_asian_width

from bnlint.finding import Finding, Place
from bnlint.report import concise
from bnlint.report.concise import statistics
from bnlint.report.model import Report
from bnlint.report.paint import Paint, paint
from bnlint.report.table import Style
from bnlint.report.visible import visible_report
from bnlint.rules._base import Meta

_MARGIN = "    "
_APPLY = {"safe": "--fix", "unsafe": "--fix --unsafe-fixes", "advice": "by hand"}


def render(report: Report, style: Style) -> str:
    """The whole report as text."""
    ink = paint(colour=style.colour)
    if style.quiet:
        return concise.render(report, style)
    report = visible_report(report)
    metas = report.metas() if report.findings else {}
    said: set[str] = set()
    parts = ["\n".join(_finding(one, report.excerpts, metas.get(one.code), ink, said)) for one in report.findings]
    parts.extend(report.notes)
    if style.statistics and report.findings:
        parts.append("\n".join(statistics(report)))
    return "\n\n".join([*parts, _summary(report)]) + "\n"


def _finding(
    finding: Finding, excerpts: Mapping[str, Mapping[int, str]], meta: Meta | None, ink: Paint, said: set[str]
) -> Iterator[str]:
    label = ink.severity(finding.severity, f"{finding.severity}[{finding.code}]")
    yield f"{ink.bold(finding.place.where())}: {label} {finding.says}{_doubt(finding)}"
    yield from _frame(finding.place, excerpts, ink)
    for place in finding.related:
        yield f"{_MARGIN}{place.where()}: {place.says}"
        if not _same_line(place, finding.place):
            yield from _frame(place, excerpts, ink, around=0)
    if meta is not None and finding.code not in said:
        said.add(finding.code)
        yield f"{_MARGIN}{ink.dim('why:')} {meta.why}"
    if finding.fix is not None:
        yield f"{_MARGIN}{ink.dim('fix')} ({_APPLY[finding.fix.safety]}): {finding.fix.title}"
        for line in finding.fix.lines.splitlines():
            yield f"{_MARGIN}  {ink.good(line)}".rstrip()


def _same_line(one: Place, other: Place) -> bool:
    return (
        one.text == other.text and one.span is not None and other.span is not None and one.span.line == other.span.line
    )


def _doubt(finding: Finding) -> str:
    return "" if finding.confidence == "high" else f" ({finding.confidence} confidence)"


def _frame(place: Place, excerpts: Mapping[str, Mapping[int, str]], ink: Paint, *, around: int = 1) -> Iterator[str]:
    lines = excerpts.get(place.text, {})
    span = place.span
    if span is None or not lines.get(span.line, "").strip():
        return
    numbers = [number for number in range(span.line - around, span.line + around + 1) if number in lines]
    while numbers and numbers[-1] > span.line and not lines[numbers[-1]].strip():
        numbers.pop()
    while numbers and numbers[0] < span.line and not lines[numbers[0]].strip():
        numbers.pop(0)
    width = len(str(numbers[-1]))
    for number in numbers:
        text = lines[number].expandtabs(4)
        yield f"{_MARGIN}{ink.dim(f'{number:>{width}} |')} {text}".rstrip()
        if number == span.line:
            yield f"{_MARGIN}{ink.dim(' ' * width + ' |')} {ink.mark(_underline(lines[number], place))}"


def _underline(line: str, place: Place) -> str:
    assert place.span is not None
    end = place.span.end_column if place.span.end_line == place.span.line else len(line.rstrip()) + 1
    before = _width(line[: place.span.column - 1].expandtabs(4))
    marked = _width(line[: end - 1].expandtabs(4)) - before
    return " " * before + "^" * max(1, marked)


def _width(text: str) -> int:
    """Columns of a terminal: two for wide characters, none for accents that stand on the letter before."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _summary(report: Report) -> str:
    notes = sum(finding.severity == "note" for finding in report.findings)
    counts = ((len(report.findings) - notes, "finding"), (notes, "note"))
    said = " and ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in counts if count)
    files = f"{report.files:,} file{'s' if report.files != 1 else ''}"
    hidden = ", ".join(f"{number} {reason}" for reason, number in sorted(report.hidden.items()))
    tail = f" ({hidden})" if hidden else ""
    if not said:
        return f"Nothing to report in {files}{tail}."
    repair = _repair(Counter(f.fix.safety for f in report.findings if f.fix is not None and f.fix.edits))
    places = len({finding.place.path for finding in report.findings})
    return f"{said} in {places} of {files}{tail}{repair}."


def _repair(fixes: Counter[str]) -> str:
    if fixes["safe"]:
        more = f", --fix --unsafe-fixes {fixes['unsafe']} more" if fixes["unsafe"] else ""
        return f"; --fix repairs {fixes['safe']}{more}"
    return f"; --fix --unsafe-fixes repairs {fixes['unsafe']}" if fixes["unsafe"] else ""
