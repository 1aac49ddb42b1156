"""One file's text → its facts: one LibCST parse and one walk of our own.

LibCST's own visitors spend most of their time on whitespace nodes and its metadata providers even more
(``CSTVisitor`` doubles the cost of a parse, ``QualifiedNameProvider`` makes it tenfold), so the tree is walked by the
tables of :mod:`.expressions` and :mod:`.statements`, which never touch whitespace, and no provider is used here.
"""

import ast
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import libcst as cst

from bnlint.facts import model as m
from bnlint.facts.statements import block

# Python-to-Python calls need no C stack since 3.11, so deep programs only need the counter raised; LibCST's own
# parser and pickle do use it, which is why callers run in a thread with a larger stack (see collect).
RECURSION_LIMIT = 20_000
_PLACE = re.compile(r"error at (\d+):(\d+)")


class _Recorder:
    """Numbers nodes in the order they are visited and keeps comments."""

    def __init__(self) -> None:
        self.nodes: list[cst.CSTNode] = []
        self.comments: list[m.Comment] = []

    def at(self, node: cst.CSTNode) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def comment(self, at: int, text: str) -> None:
        self.comments.append(m.Comment(at, text.lstrip("# ")))


class Tree(NamedTuple):
    """A parsed file with its facts; ``nodes[at]`` is the LibCST node of the record numbered `at`."""

    module: cst.Module
    body: m.Block
    comments: tuple[m.Comment, ...]
    nodes: list[cst.CSTNode]


@contextmanager
def _deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def read_tree(text: str | bytes) -> Tree:
    """Parse `text` and take its facts.

    Raises
    ------
    libcst.ParserSyntaxError
        If the text is not Python that LibCST can read.
    RecursionError
        If it is nested too deeply.
    """
    module = cst.parse_module(text)
    recorder = _Recorder()
    for line in module.header:
        if line.comment is not None:
            recorder.comment(0, line.comment.value)
    with _deep_recursion():
        body = block(recorder, module.body)
    return Tree(module, body, tuple(recorder.comments), recorder.nodes)


def _syntax(error: cst.ParserSyntaxError, text: str | bytes) -> m.Problem:
    """Where and why a text is no Python: the interpreter's own parser says it better than LibCST's, if it agrees."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as python:
        return m.Problem(f"not valid Python 3: {python.msg}", python.lineno or 1, max(1, python.offset or 1))
    except (ValueError, MemoryError, RecursionError):
        pass
    place = _PLACE.search(error.message)
    line, column = (int(place[1]), int(place[2]) + 1) if place else (error.editor_line, error.editor_column)
    return m.Problem("not Python that LibCST can read", line, column)


def extract(path: str, digest: str, text: str | bytes) -> m.FileFacts:
    """Facts of one file; a file that cannot be read has a `problem` instead of a body."""
    if text.find(b"\0" if isinstance(text, bytes) else "\0") >= 0:  # type: ignore[arg-type]
        return m.FileFacts(path, digest, problem=m.Problem("holds NUL bytes, so it is not Python source"))
    try:
        tree = read_tree(text)
    except cst.ParserSyntaxError as error:
        return m.FileFacts(path, digest, problem=_syntax(error, text))
    except RecursionError:
        return m.FileFacts(path, digest, problem=m.Problem("nested too deeply to be analysed"))
    except (UnicodeError, LookupError, ValueError, SyntaxError) as error:
        return m.FileFacts(path, digest, problem=m.Problem(f"cannot be decoded: {error}"))
    return m.FileFacts(path, digest, tree.body, tree.comments)
