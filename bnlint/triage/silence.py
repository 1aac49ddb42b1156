"""Comments that silence findings: ``# bnlint: ignore[BN101] reason``, ``# bnlint: ignore-file[BN101]``, ``# noqa: BN101``."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bnlint.finding import Finding

_IGNORE = re.compile(r"#\s*bnlint:\s*(ignore-file|ignore)(?:\[([^\]]*)\])?", re.IGNORECASE)
_NOQA = re.compile(r"#\s*noqa:\s*([A-Z][A-Z0-9]*(?:[\s,]+[A-Z]+[0-9]+)*)", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z]+[0-9]*")
_WORDS = re.compile(rb"#\s*(?:bnlint|noqa)\s*:", re.IGNORECASE)


class Silence(NamedTuple):
    """One comment; no `codes` means all. `line` is the line it speaks of, 0 for the whole file.

    `text` names the file, or the cell of a notebook; a ``noqa`` belongs to other linters too, so it is never unused.
    """

    text: str
    line: int
    codes: tuple[str, ...]
    written: int
    column: int
    noqa: bool = False

    def covers(self, finding: Finding) -> bool:
        """Whether the comment speaks of this finding."""
        span = finding.place.span
        if self.codes and not any(finding.code.startswith(code) for code in self.codes):
            return False
        return self.line == 0 or (span is not None and span.line <= self.line <= span.end_line)


def may_silence(data: bytes) -> bool:
    """Whether a file can hold such a comment at all."""
    return _WORDS.search(data) is not None


def silences(text: str, lines: Sequence[str]) -> Iterator[Silence]:
    """The comments of a text given by its lines."""
    for number, line in enumerate(lines, 1):
        if "#" not in line:
            continue
        if match := _IGNORE.search(line):
            codes = tuple(code.upper() for code in _CODE.findall(match[2] or ""))
            whole = match[1].lower() == "ignore-file"
            yield Silence(text, 0 if whole else _meant(lines, number), codes, number, match.start() + 1)
        elif match := _NOQA.search(line):
            codes = tuple(code.upper() for code in _CODE.findall(match[1]))
            yield Silence(text, number, codes, number, match.start() + 1, noqa=True)


def _meant(lines: Sequence[str], number: int) -> int:
    """A comment that stands alone speaks of the next line of code."""
    if not lines[number - 1].lstrip().startswith("#"):
        return number
    for after in range(number, len(lines)):
        if lines[after].strip() and not lines[after].lstrip().startswith("#"):
            return after + 1
    return number


class Silenced(NamedTuple):
    """Findings that are left, how many are not, and the comments that silenced nothing."""

    left: list[Finding]
    total: int
    unused: list[Silence]


def silence(findings: Iterable[Finding], comments: Sequence[Silence]) -> Silenced:
    """Take the findings out that a comment speaks of."""
    by_text: dict[str, list[Silence]] = {}
    for comment in comments:
        by_text.setdefault(comment.text, []).append(comment)
    left: list[Finding] = []
    used: set[Silence] = set()
    count = 0
    for finding in findings:
        path = finding.place.path
        near = [*by_text.get(finding.place.text, ()), *(c for c in by_text.get(path, ()) if c.line == 0)]
        covering = [comment for comment in near if comment.covers(finding)]
        used.update(covering)
        if covering:
            count += 1
        else:
            left.append(finding)
    return Silenced(left, count, [comment for comment in comments if comment not in used and not comment.noqa])
