"""Numbers of records → lines and columns, for the files that report something."""

import ast
import re
import sys
from collections.abc import Iterable

from bnlint.facts.deep import deep_recursion
from bnlint.facts.python_read import LINE_END, decoded, read, read_python2
from bnlint.source import Span

_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def locate(text: str | bytes, numbers: Iterable[int]) -> dict[int, Span]:
    """Place of each record number in `text`: 1-based lines and columns (in characters), end exclusive.

    A function or class is shown at its name, a block statement by its first line.
    """
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    try:
        with deep_recursion():
            nodes = read(text).nodes
    except (SyntaxError, ValueError):
        from libcst import ParserSyntaxError

        from bnlint.facts.locate_tree import spans
        from bnlint.facts.tree import read_tree

        try:
            return spans(read_tree(text), wanted)
        except ParserSyntaxError:  # the facts are those of Python 2
            with deep_recursion():
                nodes = read_python2(text).nodes
    lines = LINE_END.split(decoded(text) if isinstance(text, bytes) else text)
    outer = _strings(nodes) if sys.version_info < (3, 12) else {}
    return {number: _span(outer.get(id(nodes[number]), nodes[number]), lines) for number in wanted}


def _strings(nodes: list[ast.AST]) -> dict[int, ast.AST]:
    """Nodes inside f-strings, whose places are wrong before Python 3.12, and the f-string to show instead."""
    found: dict[int, ast.AST] = {}
    for node in nodes:
        if isinstance(node, ast.JoinedStr) and id(node) not in found:
            found.update((id(inner), node) for inner in ast.walk(node))
    return found


def _span(node: ast.AST, lines: list[str]) -> Span:
    if isinstance(node, _NAMED):
        return _name(node, lines)
    assert isinstance(node, ast.expr | ast.stmt)
    line, column = node.lineno, _characters(lines[node.lineno - 1], node.col_offset)
    if isinstance(node, _BLOCKS):
        return Span(line, column + 1, line, len(lines[line - 1].rstrip()) + 1)
    end = node.end_lineno or line
    return Span(line, column + 1, end, _characters(lines[end - 1], node.end_col_offset or 0) + 1)


def _characters(line: str, offset: int) -> int:
    """Python counts bytes of UTF-8; people count characters."""
    return offset if line.isascii() else len(line.encode()[:offset].decode(errors="replace"))


def _name(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, lines: list[str]) -> Span:
    line = node.lineno
    match = re.compile(rf"\b(?:def|class)\s+({re.escape(node.name)})\b").search(lines[line - 1])
    if match is None:  # the name is written in another form (PEP 3131 normalises names), or on another line
        return Span(line, node.col_offset + 1, line, len(lines[line - 1].rstrip()) + 1)
    return Span(line, match.start(1) + 1, line, match.end(1) + 1)
