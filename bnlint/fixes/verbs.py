"""Edits as data → one changed module: every edit of a file in one pass of one transformer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import libcst as cst

from bnlint.facts.tree import Tree, read_tree
from bnlint.finding import Edit
from bnlint.fixes.expressions import VERBS, CannotApply
from bnlint.fixes.regions import REGIONS, replaced
from bnlint.fixes.statements import AROUND, WITHIN, Lines, add_import

_INNER = {**VERBS, **WITHIN}
VERB_NAMES = frozenset({*_INNER, *AROUND, *REGIONS, "add_import"})


class _Region(NamedTuple):
    """Several statements of one block, by their nodes, and what becomes of them."""

    first: cst.CSTNode
    last: cst.CSTNode
    edit: Edit


class _Editor(cst.CSTTransformer):
    def __init__(self, inner: dict[int, list[Edit]], around: dict[int, list[Edit]], regions: list[_Region]) -> None:
        super().__init__()
        self.inner = inner
        self.around = around
        self.regions = regions

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        node = super().on_leave(original_node, updated_node)
        for edit in self.inner.pop(id(original_node), ()):
            assert isinstance(node, cst.CSTNode)
            node = _INNER[edit.verb](node, edit.words)
        if isinstance(original_node, cst.IndentedBlock | cst.Module):
            return self._regions(original_node, node)
        if isinstance(original_node, cst.BaseStatement):
            return self._around(original_node, node)
        if isinstance(original_node, cst.SimpleStatementSuite):
            return self._opened(original_node, node)
        return node

    def _regions(self, original: cst.IndentedBlock | cst.Module, node: Any) -> Any:
        for region in list(self.regions):
            ends = [_line_of(original.body, one) for one in (region.first, region.last)]
            if None in ends:
                continue
            self.regions.remove(region)
            if len(node.body) != len(original.body):
                raise CannotApply("another repair changed the same block")
            first, last = (node.body[number] for number in ends if number is not None)
            node = node.with_changes(body=replaced(node.body, first, last, region.edit.verb, region.edit.words))
        return node

    def _edits(self, original: cst.CSTNode) -> list[Edit]:
        owners = [original]
        if isinstance(original, cst.SimpleStatementLine | cst.SimpleStatementSuite):
            owners += original.body
        return [edit for owner in owners for edit in self.around.pop(id(owner), ())]

    def _around(self, original: cst.CSTNode, node: object) -> object:
        edits = self._edits(original)
        if not edits:
            return node
        lines = _edited([node], edits)  # type: ignore[list-item]
        return cst.FlattenSentinel(lines) if lines else cst.RemoveFromParent()

    def _opened(self, original: cst.SimpleStatementSuite, node: object) -> object:
        """``if test: statement`` becomes a block when something is written before or after the statement."""
        edits = self._edits(original)
        if not edits:
            return node
        assert isinstance(node, cst.SimpleStatementSuite)
        line = cst.SimpleStatementLine(node.body, trailing_whitespace=node.trailing_whitespace)
        lines = _edited([line], edits) or [cst.SimpleStatementLine([cst.Pass()])]
        return cst.IndentedBlock(body=lines)


def _line_of(body: Sequence[cst.CSTNode], node: cst.CSTNode) -> int | None:
    """The number of the statement of a block that a node is, or is on the line of."""
    for number, line in enumerate(body):
        if line is node or (isinstance(line, cst.SimpleStatementLine) and any(part is node for part in line.body)):
            return number
    return None


def _edited(lines: Lines, edits: Sequence[Edit]) -> Lines:
    for edit in edits:
        lines = AROUND[edit.verb](lines, edit.words)
    return lines


def _with_code(edit: Edit, tree: Tree) -> Edit:
    """The edit with the code of the records that its words name (``@12``)."""
    words = [
        tree.module.code_for_node(tree.nodes[int(word[1:])]) if word[:1] == "@" and word[1:].isdecimal() else word
        for word in edit.words
    ]
    return edit._replace(words=tuple(words))


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Bytes of a file after `edits`.

    Raises
    ------
    CannotApply
        If an edit does not fit the code, or the file cannot be written back as it was.
    """
    try:
        tree = read_tree(data)
    except cst.ParserSyntaxError as error:  # such as the ``async=`` of old, which only reading can do with
        raise CannotApply(f"the file is not Python of today: {error.message}") from error
    if tree.module.bytes != data:
        raise CannotApply("the file does not survive being parsed and written unchanged")
    inner: dict[int, list[Edit]] = {}
    around: dict[int, list[Edit]] = {}
    regions: list[_Region] = []
    for edit in edits:
        if edit.verb not in VERB_NAMES:
            raise CannotApply(f"got the verb {edit.verb!r}, expected one of {', '.join(sorted(VERB_NAMES))}")
        if edit.verb in REGIONS:
            regions.append(_Region(tree.nodes[edit.at], tree.nodes[int(edit.words[0])], edit))
        elif edit.verb != "add_import":
            table = around if edit.verb in AROUND else inner
            table.setdefault(id(tree.nodes[edit.at]), []).append(_with_code(edit, tree))
    module = tree.module.visit(_Editor(inner, around, regions))
    if inner or around or regions:
        raise CannotApply("an edit found no place")
    for edit in edits:
        if edit.verb == "add_import":
            module = add_import(module, edit.words)
    new = module.bytes
    try:
        cst.parse_module(new)
    except cst.ParserSyntaxError as error:
        raise CannotApply(f"the result would not be Python: {error.message}") from error
    return new
