"""Numbers of records → lines and columns. Slow (LibCST's PositionProvider), so only for files that report something."""

from collections.abc import Iterable

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from bnlint.facts.extract import Tree, read_tree
from bnlint.source import Span


def locate(text: str | bytes, numbers: Iterable[int]) -> dict[int, Span]:
    """Place of each record number in `text`: 1-based lines and columns, end exclusive."""
    wanted = sorted(set(numbers))
    return spans(read_tree(text), wanted) if wanted else {}


def spans(tree: Tree, numbers: Iterable[int]) -> dict[int, Span]:
    """Like :func:`locate`, for a tree at hand."""
    wrapper = MetadataWrapper(tree.module, unsafe_skip_copy=True)
    positions = wrapper.resolve(PositionProvider)
    found: dict[int, Span] = {}
    for number in numbers:
        node = _visible(tree.nodes[number])
        code_range = positions[node]
        start, end = code_range.start, code_range.end
        found[number] = Span(start.line, start.column + 1, end.line, end.column + 1)
    return found


def _visible(node: cst.CSTNode) -> cst.CSTNode:
    """A function or class is shown at its name: its own range begins at the first decorator and ends with its body."""
    return node.name if isinstance(node, cst.FunctionDef | cst.ClassDef) else node
