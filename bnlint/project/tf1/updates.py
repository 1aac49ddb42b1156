"""Reads of the UPDATE_OPS collection, and what becomes of each: run with training, left unused, or wired to nothing."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks import tf1
from bnlint.project.calls import Site
from bnlint.project.names import Value
from bnlint.project.scopes import Scope
from bnlint.project.tf1.parents import Parents, is_target
from bnlint.project.tf1.words import Words

_MAX_DEPTH = 12
Verdict = Literal["used", "constructor", "built", "unused"]
_ORDER: tuple[Verdict, ...] = ("used", "built", "constructor", "unused")
# Calls through which a list of ops passes unchanged, and those that only look at it.
_PASS = frozenset({"group", "list", "tuple", "set", "sorted", "reversed", "filter", "flatten", "sum", "chain"})
_LOOK = frozenset(
    {"print", "len", "info", "debug", "warning", "bool", "isinstance", "Print", "pprint", "str", "format"}
)
_GROW = frozenset({"extend", "append", "insert", "add", "update"})
# What may stand inside `with control_dependencies(…)` without making any op that a training step needs.
_HARMLESS = _LOOK | {
    "exponential_decay", "piecewise_constant", "polynomial_decay", "cosine_decay", "natural_exp_decay", "get_global_step",
    "get_or_create_global_step", "name_scope", "variable_scope", "device", "float", "int", "trainable_variables",
    "get_collection", "global_variables", "get_variables", "get_trainable_variables", "join", "control_dependencies",
}  # fmt: skip


class Fate(NamedTuple):
    """What becomes of a read: the best of its uses, with the record where a misplaced one stands."""

    verdict: Verdict
    at: int


class Read(NamedTuple):
    """A read of UPDATE_OPS and its fate; `certain` is False if the collection's name is not known."""

    site: Site
    fate: Fate
    certain: bool
    scoped: bool


def collection(
    expr: m.Expr | None, scope: Scope, words: Words, depth: int = 0
) -> Literal["updates", "other", "unknown"]:
    """Which collection a key names."""
    if isinstance(expr, m.Const):
        return "updates" if expr.value == "update_ops" else "other"
    if isinstance(expr, m.Attr) and (expr.name.isupper() or expr.name == "UPDATE_OPS"):
        return "updates" if expr.name == "UPDATE_OPS" else "other"
    if isinstance(expr, m.Op | m.Choice):
        return "other" if isinstance(expr, m.Op) else "unknown"
    if isinstance(expr, m.Name | m.Attr) and depth < _MAX_DEPTH:
        meaning = words.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            return collection(meaning.expr, meaning.scope, words, depth + 1)
        name = words.name(expr, scope)
        if name is not None:
            return "updates" if name.endswith(".UPDATE_OPS") else "other"
    return "unknown"


class Wiring:
    """Follows reads of UPDATE_OPS through one file."""

    def __init__(self, file: m.FileFacts, words: Words) -> None:
        self.file = file
        self.words = words
        self.parents = Parents(file)

    def read(self, site: Site) -> Read | None:
        """The read that this ``get_collection`` call is, None if it reads another collection."""
        args = site.call.args
        key = next((a.value for a in args if a.keyword in (None, "key", "name") and not a.star), None)
        which = collection(key, site.scope, self.words)
        if which == "other":
            return None
        scoped = len(args) > 1
        return Read(site, self.fate(site.call, site.scope), which == "updates", scoped)

    def fate(self, node: m.Node, scope: Scope, depth: int = 0) -> Fate:
        """What becomes of the value of `node`."""
        used = Fate("used", node.at)
        parent = self.parents.above(node)
        if depth > _MAX_DEPTH or parent is None:
            return used
        if isinstance(parent, m.Call):
            return self._argument(node, parent, scope, depth + 1)
        if isinstance(parent, m.With):
            return used
        if isinstance(parent, m.Op):
            passes = parent.op in ("+", "slice")
            return self.fate(parent, scope, depth + 1) if passes else Fate("unused", node.at)
        if isinstance(parent, m.Star | m.Seq | m.Choice | m.Item | m.Comp):
            return self.fate(parent, scope, depth + 1)
        if isinstance(parent, m.Assign):
            return self._assigned(node, parent, scope, depth + 1)
        if isinstance(parent, m.Do):
            return Fate("unused", node.at)
        if isinstance(parent, m.If | m.Assert | m.While) and parent.test == node:
            return Fate("unused", node.at)
        if isinstance(parent, m.Attr):
            return self._method(parent, depth)
        return used

    def _method(self, parent: m.Attr, _depth: int) -> Fate:
        call = self.parents.above(parent)
        grows = isinstance(call, m.Call) and call.func == parent and parent.name in _GROW
        return Fate("unused", parent.at) if grows else Fate("used", parent.at)

    def _argument(self, node: m.Node, call: m.Call, scope: Scope, depth: int) -> Fate:
        tail = self.words.tail(call)
        if tail in _LOOK:
            return Fate("unused", node.at)
        if tail in _PASS:
            return self.fate(call, scope, depth)
        if tail in _GROW and isinstance(call.func, m.Attr) and isinstance(call.func.value, m.Name):
            return self._loads(call.func.value.id, scope, call.at, depth)
        if tail == "control_dependencies":
            above = self.parents.above(call)
            return self._body(above) if isinstance(above, m.With) else Fate("used", call.at)
        return Fate("used", call.at)

    def _assigned(self, node: m.Node, assign: m.Assign, scope: Scope, depth: int) -> Fate:
        fates: list[Fate] = []
        for target in assign.targets:
            if isinstance(target, m.Name):
                fates.append(self._loads(target.id, scope, node.at, depth))
            else:
                fates.append(self._stored(target, node.at))
        return best(fates, node.at)

    def _stored(self, target: m.Expr, at: int) -> Fate:
        """``self.x = …`` is used if ``.x`` is read anywhere in the project; other places are taken as used."""
        if isinstance(target, m.Attr):
            read = any(self._reads_attribute(file, target.name) for file in self.words.names.files.values())
            return Fate("used" if read else "unused", at)
        return Fate("used", at)

    def _reads_attribute(self, file: m.FileFacts, name: str) -> bool:
        found = [node for node in walk(file.body) if isinstance(node, m.Attr) and node.name == name]
        if file.path != self.file.path:
            return bool(found)
        return any(not is_target(node, self.parents.above(node)) for node in found)

    def _loads(self, name: str, scope: Scope, at: int, depth: int) -> Fate:
        hit = scope.lookup(name)
        home = hit[0] if hit is not None else scope
        if (
            home.node is None
            and any(other is not self.file for other in self.words.names.files.values())
            and self._exported(name)
        ):
            return Fate("used", at)
        fates: list[Fate] = []
        root = home.node.body if home.node is not None else self.file.body
        for node in walk((root,)):
            if (
                isinstance(node, m.Name)
                and node.id == name
                and not is_target(node, self.parents.above(node))
                and node.at != at
            ):
                if isinstance(above := self.parents.above(node), m.Assign) and any(t == node for t in above.targets):
                    continue
                fates.append(self.fate(node, home, depth))
        return best(fates, at)

    def _exported(self, name: str) -> bool:
        """Whether a module-level name may be read in another file."""
        for file in self.words.names.files.values():
            if file is not self.file:
                for node in walk(file.body):
                    if isinstance(node, m.From) and any(alias.name in (name, "*") for alias in node.names):
                        if self.words.names.modules.find(file.path, node.module, node.level) is self.file:
                            return True
                    elif isinstance(node, m.Attr) and node.name == name:
                        return True
        return False

    # --- with control_dependencies(updates): … ---

    def _body(self, block: m.With) -> Fate:
        makers = False
        for node in walk((block.body,)):
            if isinstance(node, m.Op) and node.op.startswith("yield"):
                return Fate("used", block.at)
            if isinstance(node, m.Call):
                if self.is_constructor(node):
                    makers = True
                elif self.words.tail(node) not in _HARMLESS:
                    return Fate("used", block.at)
            elif isinstance(node, m.Assign) and node.op != "=":
                return Fate("used", block.at)
        arithmetic = any(isinstance(n, m.Op) and n.op in ("+", "*", "-", "/") for n in walk((block.body,)))
        if arithmetic and not makers:
            return Fate("used", block.at)  # `loss = loss + 0` makes an op
        return Fate("constructor" if makers else "built", block.at)

    def is_constructor(self, call: m.Call) -> bool:
        """Whether a call makes an optimizer."""
        return self.words.tail(call).endswith("Optimizer")


def best(fates: list[Fate], at: int) -> Fate:
    """The most useful of several fates."""
    return min(fates, key=lambda fate: _ORDER.index(fate.verdict), default=Fate("unused", at))


def routes(sites: Iterator[Site]) -> list[Site]:
    """Calls that run the collection themselves, unless they are told not to (``update_ops=[]``)."""
    found: list[Site] = []
    for site in sites:
        given = next((a.value for a in site.call.args if a.keyword == "update_ops"), None)
        if not (isinstance(given, m.Seq) and not given.items):
            found.append(site)
    return found


__all__ = ["Fate", "Read", "Verdict", "Wiring", "best", "collection", "routes", "tf1"]
