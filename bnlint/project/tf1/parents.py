"""The record above each record of a file, for the few files where the way of a value is followed upwards."""

from typing import Any

from bnlint.facts import model as m
from bnlint.facts.walk import children


class Parents:
    """Parents by number; a record's parent is the one it stands directly in."""

    def __init__(self, file: m.FileFacts) -> None:
        self._above: dict[int, m.Node] = {}
        stack: list[Any] = list(file.body)
        while stack:
            node = stack.pop()
            for child in children(node):
                self._above[child.at] = node
                stack.append(child)

    def above(self, node: m.Node) -> m.Node | None:
        """The record in which `node` stands."""
        return self._above.get(node.at)

    def chain(self, node: m.Node) -> list[m.Node]:
        """All records above `node`, the nearest first."""
        found: list[m.Node] = []
        above = self.above(node)
        while above is not None:
            found.append(above)
            above = self.above(above)
        return found


def is_target(name: m.Node, parent: m.Node | None) -> bool:
    """Whether a name is written, not read, where it stands."""
    if isinstance(parent, m.Assign):
        return parent.op == "=" and any(target is name or target == name for target in parent.targets)
    return isinstance(parent, m.For) and parent.target == name
