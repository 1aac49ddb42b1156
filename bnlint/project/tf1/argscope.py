"""slim's ``arg_scope``: what each gives to batch norms, and which code can run inside it."""

from collections.abc import Iterable
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.calls import Site
from bnlint.project.scopes import Scope
from bnlint.project.tf1.norms import Given
from bnlint.project.tf1.parents import Parents
from bnlint.project.tf1.scan import Scan


class ArgScope(NamedTuple):
    """One ``arg_scope`` that lists a batch norm. `words` are the names its block uses, directly or through functions
    of these names; None if it is returned or kept and so may be entered anywhere. `hidden`: a star holds arguments.
    """

    site: Site
    block: m.With | None
    given: dict[str, Given]
    words: frozenset[str] | None
    hidden: bool

    def inside(self, block: m.With, words: frozenset[str]) -> bool:
        """Whether this scope is entered below another block, which uses `words`."""
        if any(node is self.site.call for node in walk((block.body,))):
            return True
        return any(name in words for name in _names_around(self.site.scope))

    def reaches(self, call: m.Call, scope: Scope) -> bool:
        """Whether `call` can run inside: it stands there, or a function around it is named there (or further down)."""
        if self.words is None or self.block is None:
            return True
        if scope.path == self.site.scope.path and any(node is call for node in walk((self.block.body,))):
            return True
        return any(name in self.words for name in _names_around(scope))


def _names_around(scope: Scope) -> Iterable[str]:
    inner: Scope | None = scope
    while inner is not None and inner.node is not None:
        name = getattr(inner.node, "name", "")
        if name in ("__call__", "__init__", "forward", "call") and inner.parent is not None:
            name = getattr(inner.parent.node, "name", "")
        if name and not isinstance(inner.node, m.Class):
            yield name
        inner = inner.parent


def block_of(site: Site, parents: Parents) -> m.With | None:
    """The ``with`` that enters the scope for its own block only; None if the scope is returned or kept."""
    above = parents.above(site.call)
    if not isinstance(above, m.With):
        return None
    kept = _targets(above)
    for node in walk((above.body,)):
        if isinstance(node, m.With):
            kept |= _targets(node)
        if isinstance(node, m.Return) and isinstance(node.value, m.Name) and node.value.id in kept:
            return None
        if isinstance(node, m.Op) and node.op.startswith("yield"):
            return None
    return above


def _targets(block: m.With) -> set[str]:
    return {item.target.id for item in block.items if isinstance(item.target, m.Name)}


def words_below(block: m.With, scans: Iterable[Scan]) -> frozenset[str]:
    """Names used in a block, and in all functions and classes of these names, and so on."""
    words: set[str] = set()
    for node in walk((block.body,)):
        if isinstance(node, m.Name):
            words.add(node.id)
        elif isinstance(node, m.Attr):
            words.add(node.name)
    by_name: dict[str, list[tuple[Scope, frozenset[str]]]] = {}
    for scan in scans:
        for unit in scan.units:
            name = getattr(unit.scope.node, "name", "")
            by_name.setdefault(name, []).append((unit.scope, unit.used))
            if unit.scope.parent is not None and name.startswith("__"):
                by_name.setdefault(getattr(unit.scope.parent.node, "name", ""), []).append((unit.scope, unit.used))
    stack = list(words)
    while stack:
        for _, used in by_name.get(stack.pop(), ()):
            new = used - words
            words |= new
            stack.extend(new)
    return frozenset(words)
