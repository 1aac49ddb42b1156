"""A file read by LibCST: every space and comment is kept, so what is changed can be written back as it was.

LibCST's own visitors spend most of their time on whitespace nodes and its metadata providers even more
(``CSTVisitor`` doubles the cost of a parse, ``QualifiedNameProvider`` makes it tenfold), so the tree is walked by the
tables of :mod:`.expressions` and :mod:`.statements`, which never touch whitespace, and no provider is used here.
"""

from typing import NamedTuple

import libcst as cst

from bnlint.facts import model as m
from bnlint.facts.deep import deep_recursion
from bnlint.facts.statements import block


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
    with deep_recursion():
        body = block(recorder, module.body)
    return Tree(module, body, tuple(recorder.comments), recorder.nodes)
