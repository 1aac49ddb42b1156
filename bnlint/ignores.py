"""``--add-ignores``: silence each finding with a comment on its line."""

import ast
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bnlint.facts.python_read import LINE_END, decoded
from bnlint.finding import Finding
from bnlint.notebook import Cell

_EXISTING = re.compile(r"(#\s*bnlint:\s*ignore\[)([^\]]*)(\])", re.IGNORECASE)


class Silencing(NamedTuple):
    """New bytes of a file, how many findings are silenced in it, and those for which no place was found."""

    data: bytes
    total: int
    left: tuple[Finding, ...]


def add_ignores(data: bytes, findings: Sequence[Finding], cells: Sequence[Cell] = ()) -> Silencing:
    """Write comments into one file, or into the program of a notebook. The program stays the same: each changed text is
    parsed and compared.
    """
    starts = {cell.number: cell.line for cell in cells}
    text = decoded(data)
    before = _program(text)
    lines = _with_ends(text)
    count, left = 0, []
    for finding in findings:
        start = starts.get(finding.place.cell, 0)
        number = _place(lines, finding, start, before) if before is not None else None
        if number is None:
            left.append(finding)
        else:
            lines[number] = _commented(lines[number], finding.code)
            count += 1
    return Silencing(_encoded("".join(lines), data), count, tuple(left))


def _with_ends(text: str) -> list[str]:
    ends = [match.end() for match in LINE_END.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True) if start < end]


def _program(text: str) -> str | None:
    try:
        return ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _place(lines: Sequence[str], finding: Finding, start: int, before: str) -> int | None:
    """Index of a line of the finding that can take a comment: one inside a string, or with a backslash at its end, cannot."""
    span = finding.place.span
    if span is None:
        return None
    for number in range(start + span.line - 1, min(start + span.end_line, len(lines))):
        new = [*lines[:number], _commented(lines[number], finding.code), *lines[number + 1 :]]
        if _program("".join(new)) == before:
            return number
    return None


def _commented(line: str, code: str) -> str:
    body = line.rstrip("\r\n")
    end = line[len(body) :]
    if match := _EXISTING.search(body):
        codes = [one.strip() for one in match[2].split(",") if one.strip()]
        if code in codes:
            return line
        return f"{body[: match.start()]}{match[1]}{', '.join([*codes, code])}{match[3]}{body[match.end() :]}{end}"
    return f"{body.rstrip()}  # bnlint: ignore[{code}]{end}"


def _encoded(text: str, data: bytes) -> bytes:
    import io
    import tokenize

    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return text.encode(encoding)


def by_path(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings that a comment can silence, by file."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.code not in {"BN901", "BN902"}:
            found.setdefault(finding.place.path, []).append(finding)
    return found
