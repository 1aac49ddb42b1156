"""Numbers of records → lines and columns in a LibCST tree, for files that are newer than the running Python.

LibCST's PositionProvider generates the code of the file and splits every token by a regular expression, which takes
several times as long as the parse. Generating the code once and noting the offsets where each wanted node begins and
ends is enough; `tests/bnlint/test_locate.py` holds the two equal.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import libcst as cst
from libcst._nodes.internal import CodegenState

from bnlint.facts.tree import Tree
from bnlint.source import Span

_LINE_END = re.compile(r"\r\n|\n|\r")
_BLOCKS = (cst.If, cst.For, cst.While, cst.With, cst.Try, cst.TryStar, cst.Match)


class _Offsets(CodegenState):
    """Generates code and notes where wanted nodes begin and end, without the whitespace around them."""

    def __init__(self, module: cst.Module, wanted: frozenset[int]) -> None:
        super().__init__(default_indent=module.default_indent, default_newline=module.default_newline)
        self.wanted = wanted
        self.length = 0
        self.ranges: dict[int, tuple[int, int]] = {}
        self.begun: dict[int, int] = {}

    def add_indent_tokens(self) -> None:
        self.tokens.extend(self.indent_tokens)
        self.length += sum(map(len, self.indent_tokens))

    def add_token(self, value: str) -> None:
        self.tokens.append(value)
        self.length += len(value)

    def before_codegen(self, node: cst.CSTNode) -> None:
        if id(node) in self.wanted:
            self.begun[id(node)] = self.length

    def after_codegen(self, node: cst.CSTNode) -> None:
        if id(node) in self.wanted:
            self.ranges.setdefault(id(node), (self.begun[id(node)], self.length))

    @contextmanager
    def record_syntactic_position(
        self,
        node: cst.CSTNode,
        *,
        start_node: cst.CSTNode | None = None,
        end_node: cst.CSTNode | None = None,
    ) -> Iterator[None]:
        start = self.length
        yield
        if id(node) in self.wanted:
            self.ranges[id(node)] = (start, self.length)


def spans(tree: Tree, numbers: Iterable[int]) -> dict[int, Span]:
    """Place of each record number: see :func:`bnlint.facts.locate.locate`."""
    nodes = {number: _visible(tree.nodes[number]) for number in numbers}
    state = _Offsets(tree.module, frozenset(map(id, nodes.values())))
    tree.module._codegen(state)
    code = "".join(state.tokens)
    starts = [0, *(match.end() for match in _LINE_END.finditer(code))]

    def position(offset: int) -> tuple[int, int]:
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    found: dict[int, Span] = {}
    for number, node in nodes.items():
        start, end = state.ranges[id(node)]
        if isinstance(node, _BLOCKS):
            end = start + len(_LINE_END.split(code[start:end], maxsplit=1)[0].rstrip())
        found[number] = Span(*position(start), *position(end))
    return found


def _visible(node: cst.CSTNode) -> cst.CSTNode:
    """A function or class is shown at its name: its own range begins at the first decorator and ends with its body."""
    return node.name if isinstance(node, cst.FunctionDef | cst.ClassDef) else node
