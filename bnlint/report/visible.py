"""What a terminal would obey is shown instead: file names and sources are strangers' words."""

from bnlint.finding import Finding, Fix, Place
from bnlint.report.model import Report

_TURNS = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]  # they reorder what follows
_SHOWN = (
    {code: 0x2400 + code for code in range(32) if code != 9}
    | {127: 0x2421}
    | dict.fromkeys([*range(0x80, 0xA0), *_TURNS], 0xFFFD)
)


def visible(text: str) -> str:
    """`text` on one line, without control characters: ``␛`` for an escape; tabs stay."""
    return text if text.isprintable() else text.translate(_SHOWN)


def _path(path: str) -> str:
    """A path that begins a line, where runners of workflows take ``::error::`` for a command."""
    return visible(f"./{path}" if path.startswith((":", "#")) else path)


def _place(place: Place) -> Place:
    return place._replace(path=_path(place.path), says=visible(place.says))


def _fix(fix: Fix) -> Fix:
    lines = "\n".join(visible(line) for line in fix.lines.split("\n"))
    return fix._replace(title=visible(fix.title), lines=lines)


def _finding(finding: Finding) -> Finding:
    return finding._replace(
        place=_place(finding.place),
        says=visible(finding.says),
        related=tuple(map(_place, finding.related)),
        fix=None if finding.fix is None else _fix(finding.fix),
    )


def visible_report(report: Report) -> Report:
    """The same report, safe to be printed."""
    return report._replace(
        findings=tuple(map(_finding, report.findings)),
        excerpts={
            visible(text): {n: visible(line) for n, line in lines.items()} for text, lines in report.excerpts.items()
        },
        notes=tuple(map(visible, report.notes)),
    )
