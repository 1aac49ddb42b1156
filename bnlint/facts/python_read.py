"""A file read by Python's own parser: ten times as fast as LibCST's, and it knows where everything stands.

It reads only what the running Python understands; :mod:`.extract` turns to LibCST for the rest, and fixes always do,
because only LibCST can write a program back as it was. Both number the records in the same way.
"""

import ast
import io
import re
import tokenize
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.python2 import rewritten
from bnlint.facts.python_statements import block

LINE_END = re.compile(r"\r\n|\n|\r")
# Strings are matched only so that a # inside them is not taken for a comment.
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""' + r"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r'|"(?:[^"\\\r\n]|\\.)*"' + r"|'(?:[^'\\\r\n]|\\.)*'" + r"|(#[^\r\n]*)",
    re.DOTALL,
)

_OLD_ASYNC = re.compile(r"\basync(?=\s*=[^=])")  # the other name is as long, so that all columns stay
_OLD_ASYNC_BYTES = re.compile(_OLD_ASYNC.pattern.encode())

# What is said to the linter is no remark on the program.
_MINE = re.compile(r"#\s*(?:bnlint|noqa)\s*:", re.IGNORECASE)


class Reading(NamedTuple):
    """The facts of a text, and the syntax tree's node of each record."""

    body: m.Block
    nodes: list[ast.AST]


def decoded(data: bytes) -> str:
    """Text of a file by its BOM or coding cookie; what cannot be decoded is replaced."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except (SyntaxError, UnicodeError):
        encoding = "utf-8-sig"
    return data.decode(encoding, "replace")


def read(text: str | bytes) -> Reading:
    """Parse `text` and take its facts.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        If the running Python cannot parse it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like are somebody else's business
        tree = _parsed(text)
    nodes: list[ast.AST] = []
    return Reading(block(nodes, tree.body), nodes)


def read_python2(text: str | bytes) -> Reading:
    """The same for a program in Python 2, of which only what Python 3 cannot parse is read in another form.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        If it is no Python 2 either.
    """
    if isinstance(text, bytes):  # bytes of another code than the file names are an error for Python 2 as well
        text = text.decode(tokenize.detect_encoding(io.BytesIO(text).readline)[0])
    changed, moved = rewritten(text)
    reading = read(changed)
    for node in reading.nodes if moved else ():
        assert isinstance(node, ast.expr | ast.stmt)
        node.col_offset = max(0, node.col_offset - moved.get(node.lineno, 0))
        end = node.end_lineno or node.lineno
        node.end_col_offset = max(0, (node.end_col_offset or 0) - moved.get(end, 0))
    return reading


def _parsed(text: str | bytes) -> ast.Module:
    """The syntax tree; ``x.cuda(async=True)`` was right until Python 3.7, so the argument is read under another name."""
    try:
        return ast.parse(text)
    except SyntaxError:
        other = _OLD_ASYNC_BYTES.sub(b"asynk", text) if isinstance(text, bytes) else _OLD_ASYNC.sub("asynk", text)
        if other == text:
            raise
        return ast.parse(other)


def comments(text: str, reading: Reading) -> tuple[m.Comment, ...]:
    """Comments with the statement they stand above or beside (or inside, if it has no block)."""
    if "#" not in text:
        return ()
    starts = [0, *(match.end() for match in LINE_END.finditer(text))]
    statements = sorted(_statements(reading), key=lambda s: s.line)
    lines = [statement.line for statement in statements]
    found: list[m.Comment] = []
    for match in _TOKEN.finditer(text):
        if match[1] is None or _MINE.match(match[1]):
            continue
        line = bisect_right(starts, match.start())
        column = match.start() - starts[line - 1]
        alone = not text[starts[line - 1] : match.start()].strip()
        at = _owner(statements, lines, line, column, alone=alone)
        if at is not None:
            found.append(m.Comment(at, match[1].lstrip("# ")))
    return tuple(found)


class _Statement(NamedTuple):
    at: int
    line: int
    end: int  # of its own text: for a block, the line before its body
    column: int


def _statements(reading: Reading) -> Iterator[_Statement]:
    for at, node in enumerate(reading.nodes):
        if isinstance(node, ast.stmt):
            body: Any = getattr(node, "body", None) or getattr(node, "cases", None)
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            below = getattr(body[0], "pattern", body[0]).lineno if body else 0
            yield _Statement(at, first, max(first, below - 1) if body else node.end_lineno or first, node.col_offset)


def _owner(statements: list[_Statement], lines: list[int], line: int, column: int, *, alone: bool) -> int | None:
    before = bisect_right(lines, line)
    if before and statements[before - 1].end >= line and not (alone and statements[before - 1].end == line):
        return statements[bisect_left(lines, lines[before - 1])].at
    if not alone or before == len(statements):
        return None
    after = statements[before]
    # A comment that stands deeper than what follows closes the block above.
    return after.at if column <= after.column else None
