"""Functions and classes that are chosen among several before they are called: by a table, a name, or an ``if``."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.project.names import Definition, Module, Names, Value
from bnlint.project.scopes import Scope

_MAX_DEPTH = 4
_MOST = 60


class Tables:
    """What a called expression may mean when it is no one definition."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def choices(self, call: m.Call, scope: Scope) -> list[Definition]:
        """The definitions of the project that ``call`` may mean, each once."""
        if isinstance(call.func, m.Attr):
            return []  # a method of something unknown: most calls that are no definition
        found = {one.key: one for one in self._choices(call.func, scope, call, 0)}
        return list(found.values())[:_MOST]

    def _choices(self, func: m.Expr, scope: Scope, call: m.Call, depth: int) -> Iterator[Definition]:
        if depth > _MAX_DEPTH:
            return
        if depth and (meaning := self.names.resolve(func, scope)) is not None and isinstance(meaning, Definition):
            yield meaning
        elif isinstance(func, m.Name):
            yield from self._bound(func.id, scope, call, depth)
        elif isinstance(func, m.Item):
            yield from self._entries(func.value, scope, call, depth)
        elif isinstance(func, m.Choice):
            for part in (func.then, func.other):
                yield from self._choices(part, scope, call, depth + 1)
        elif isinstance(func, m.Call):
            yield from self._looked_up(func, scope, call, depth)

    def _bound(self, name: str, scope: Scope, call: m.Call, depth: int) -> Iterator[Definition]:
        hit = scope.lookup(name)
        if hit is None or any(binding.kind != "value" for binding in hit[1]):
            return
        for binding in hit[1]:
            if isinstance(binding.node, m.Name | m.Attr | m.Item | m.Choice | m.Call):
                yield from self._choices(binding.node, hit[0], call, depth + 1)

    def _entries(self, table: m.Expr, scope: Scope, call: m.Call, depth: int) -> Iterator[Definition]:
        meaning = self.names.resolve(table, scope)
        made, home = (meaning.expr, meaning.scope) if isinstance(meaning, Value) else (table, scope)
        if isinstance(made, m.Dict):
            for _, value in made.items:
                yield from self._choices(value, home, call, depth + 1)

    def _looked_up(self, made: m.Call, scope: Scope, call: m.Call, depth: int) -> Iterator[Definition]:
        if isinstance(made.func, m.Attr) and made.func.name == "get":
            yield from self._entries(made.func.value, scope, call, depth)
        elif isinstance(made.func, m.Name) and made.func.id == "getattr" and len(made.args) >= 2:
            module = self.names.resolve(made.args[0].value, scope)
            if isinstance(module, Module):
                yield from self._members(module.file, call)

    def _members(self, file: m.FileFacts, call: m.Call) -> Iterator[Definition]:
        """Public functions of a module that take what the call gives by keyword, at least one of it."""
        given = {arg.keyword for arg in call.args if arg.keyword is not None}
        root = self.names.scope(file.path)
        for name, bindings in root.names.items():
            node = bindings[-1].node
            if bindings[-1].kind == "function" and not name.startswith("_") and isinstance(node, m.Function):
                if given and given <= {param.name for param in node.params}:
                    yield Definition(node, self.names.scope(file.path, node))
