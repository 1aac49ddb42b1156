"""Functions and classes that are chosen by name: ``models.__dict__[arch](…)``, ``getattr(models, arch)(…)``, tables."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import PurePosixPath

from bnlint.facts import model as m
from bnlint.project.calls import Calls, Passed
from bnlint.project.names import Definition, External, Meaning, Module, Names, Value
from bnlint.project.scopes import Scope
from bnlint.project.torch.layers import Layers

_MOST = 4  # choices of one name


class Registries:
    """What a called expression may mean when it is no plain name."""

    def __init__(self, names: Names, calls: Calls, layers: Layers) -> None:
        self.names = names
        self.calls = calls
        self.layers = layers
        self._given: dict[tuple[tuple[str, int], str], list[Definition | External]] = {}

    def choices(self, func: m.Expr, scope: Scope, depth: int = 0) -> list[Definition | External]:
        """The functions and classes that ``func(…)`` may call; empty if not all of them are known."""
        if depth > 3:
            return []
        if isinstance(func, m.Name):
            return self._bound(func, scope)
        if isinstance(func, m.Item):
            return self._item(func.value, scope, depth)
        if isinstance(func, m.Call):
            return self._called(func, scope, depth)
        if isinstance(func, m.Choice):
            return [*self._plain(func.then, scope), *self._plain(func.other, scope)][:_MOST]
        if isinstance(func, m.Attr) and self._is_chosen_module(func.value, scope):
            return self._named(func.name, scope)
        return []

    def _plain(self, expr: m.Expr, scope: Scope) -> list[Definition | External]:
        meaning = self.names.resolve(expr, scope)
        return [meaning] if isinstance(meaning, Definition | External) else []

    def _bound(self, func: m.Name, scope: Scope) -> list[Definition | External]:
        """A name that is bound several times, to a function each time; or once, to something chosen by name."""
        hit = scope.lookup(func.id)
        if hit is not None and hit[1][0].kind == "param" and len(hit[1]) == 1:
            return self._passed(func.id, hit[0])
        if hit is None or not all(b.kind == "value" for b in hit[1]):
            return []
        if len(hit[1]) == 1:
            expr = hit[1][0].node
            return self.choices(expr, hit[0], 2) if isinstance(expr, m.Item | m.Call | m.Choice | m.Attr) else []
        found = [self.names.resolve(b.node, hit[0]) for b in hit[1]]
        known = [d for d in found if isinstance(d, Definition) and isinstance(d.node, m.Function)]
        return list(known[:_MOST]) if len(known) == len(found) else []

    def _passed(self, name: str, home: Scope) -> list[Definition | External]:
        """A parameter that every caller gives a function of the project: ``train(…, validation=validate_binary)``."""
        function = self.calls.function_of(home)
        if function is None:
            return []
        if (function.key, name) not in self._given:
            self._given[function.key, name] = []
            self._given[function.key, name] = self._functions(self.calls.passed(function, name))
        return self._given[function.key, name]

    def _functions(self, passed: list[Passed]) -> list[Definition | External]:
        found: dict[tuple[str, int], Definition | External] = {}
        for one in passed:
            if one.value is None or not isinstance(one.value.expr, m.Name | m.Attr):
                return []
            meant = self._plain(one.value.expr, one.value.scope)
            if not meant and isinstance(one.value.expr, m.Name):
                meant = self._bound(one.value.expr, one.value.scope)
            if not meant or not all(isinstance(d, Definition) and isinstance(d.node, m.Function) for d in meant):
                return []
            found.update((d.key, d) for d in meant if isinstance(d, Definition))
        return list(found.values())[:_MOST]

    def _item(self, table: m.Expr, scope: Scope, depth: int) -> list[Definition | External]:
        if isinstance(table, m.Attr) and table.name == "__dict__":
            return self._members(self.names.resolve(table.value, scope))
        meaning = self.names.resolve(table, scope)
        if isinstance(meaning, Value) and isinstance(meaning.expr, m.Dict):
            found = [part for _, value in meaning.expr.items for part in self._plain(value, meaning.scope)]
            return found[:_MOST]
        if isinstance(table, m.Dict):
            return [part for _, value in table.items for part in self._plain(value, scope)][:_MOST]
        return []

    def _called(self, call: m.Call, scope: Scope, depth: int) -> list[Definition | External]:
        if isinstance(call.func, m.Name) and call.func.id == "eval" and call.args:
            last = _last_constant(call.args[0].value).rpartition(".")[2]
            return self._named(last, scope) if last.isidentifier() else self._visible(call.args[0].value, scope)
        if isinstance(call.func, m.Attr) and call.func.name == "__getattribute__" and call.args:
            chosen = self._is_chosen_module(call.func.value, scope)
            return self._named(_last_constant(call.args[0].value), scope) if chosen else []
        if isinstance(call.func, m.Attr) and call.func.name == "get":
            return self._item(call.func.value, scope, depth)
        if isinstance(call.func, m.Name) and call.func.id == "getattr" and len(call.args) >= 2:
            if self._is_chosen_module(call.args[0].value, scope):
                return self._named(_last_constant(call.args[1].value), scope)
            return self._members(self.names.resolve(call.args[0].value, scope))
        maker = self.names.resolve(call.func, scope)
        if isinstance(maker, Definition) and isinstance(maker.node, m.Function):
            for value in self.calls.returned(maker):
                found = self._plain(value.expr, value.scope) or self.choices(value.expr, value.scope, depth + 1)
                if found:
                    return found
        return []

    def _members(self, module: Meaning | None) -> list[Definition | External]:
        if isinstance(module, External):
            return [External(f"{module.name}.any")]
        if not isinstance(module, Module):
            return []
        # Functions first: beside them, classes are rather parts of what they build.
        made: list[Definition | External] = [*self._makers_in(module.file)]
        return sorted(made, key=lambda one: isinstance(one, Definition) and isinstance(one.node, m.Class))[:_MOST]

    def _makers_in(self, file: m.FileFacts) -> Iterator[Definition]:
        """Public functions and network classes of a module, own or imported there, that build something with a mode."""
        root = self.names.scope(file.path)
        names = [name for name in root.names if not name.startswith("_")]
        for star in root.stars:
            other = self.names.modules.find(file.path, star.module, star.level)
            if other is not None:
                names += [name for name in self.names.scope(other.path).names if not name.startswith("_")]
        for name in names:
            found = self.names.member(file, name)
            if isinstance(found, Definition) and self.layers.of(found).sensitive == "yes" and self._makes(found):
                yield found

    def _visible(self, name: m.Expr, scope: Scope) -> list[Definition | External]:
        """``eval(args.model)(…)`` may mean any maker of networks that the file knows."""
        if isinstance(name, m.Const):
            return []
        return self._members(Module(self.names.files[scope.path]))

    # --- modules that are chosen by name ---

    def _is_chosen_module(self, expr: m.Expr, scope: Scope) -> bool:
        """``importlib.import_module(name)``, or a variable that holds it."""
        meaning = self.names.resolve(expr, scope)
        made = meaning.expr if isinstance(meaning, Value) else expr
        home = meaning.scope if isinstance(meaning, Value) else scope
        if not isinstance(made, m.Call):
            return False
        if isinstance(made.func, m.Name) and made.func.id == "__import__":
            return True
        return self.names.qualified(made.func, home) == "importlib.import_module"

    def _named(self, name: str, scope: Scope) -> list[Definition | External]:
        """All makers of networks with a mode that some file has under this name: below the folder of `scope`, or anywhere."""
        found = self._by_name.get(name, [])
        folder = str(PurePosixPath(scope.path).parent)
        near = [one for one in found if folder == "." or one.path.startswith(f"{folder}/")]
        makers = [one for one in near or found if self.layers.of(one).sensitive == "yes" and self._makes(one)]
        return [*makers[:_MOST]]

    @cached_property
    def _by_name(self) -> dict[str, list[Definition]]:
        index: dict[str, list[Definition]] = {}
        for path in self.names.files:
            for name, bindings in self.names.scope(path).names.items():
                if bindings[-1].kind in {"function", "class"}:
                    node = bindings[-1].node
                    index.setdefault(name, []).append(Definition(node, self.names.scope(path, node)))
        return index

    def _makes(self, found: Definition) -> bool:
        if isinstance(found.node, m.Class):
            return self.layers.is_module(found)
        return bool(self.calls.returned(found))


def _last_constant(expr: m.Expr) -> str:
    """The end of a text that is put together: ``"networks." + name + ".Net"`` → ``.Net``."""
    while isinstance(expr, m.Op) and expr.op in {"+", "f-string"} and expr.args:
        expr = expr.args[-1]
    return expr.value if isinstance(expr, m.Const) and isinstance(expr.value, str) else ""
