"""Settings of a program: ``cfg.bn_momentum`` of an ``edict()`` that is filled line by line, ``args.x`` of argparse."""

from collections.abc import Iterator
from functools import cached_property

from bnlint.facts import model as m
from bnlint.project.calls import Calls, own_nodes
from bnlint.project.names import Parameter, Value
from bnlint.project.scopes import Scope

_MAX_CALLERS = 8
_HOLDERS = frozenset({"edict", "EasyDict", "AttrDict", "DotDict", "CfgNode", "CN", "Namespace", "SimpleNamespace"})


class Settings:
    """What the attributes of an object of settings are given where it is filled."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.names = calls.names
        self._assigned: dict[tuple[str, int], dict[str, list[Value]]] = {}

    def values(self, expr: m.Attr, scope: Scope) -> list[Value]:
        """All that ``settings.name`` is given; empty where the object is no such thing."""
        found: dict[tuple[str, int], Value] = {}
        for holder in self._holders(expr.value, scope):
            call = holder.expr
            assert isinstance(call, m.Call)
            last = _last(call)
            if last in _HOLDERS:
                given = self._filled(holder).get(expr.name, [])
            elif last in {"parse_args", "parse_known_args"}:
                given = self._options.get(holder.scope.path, {}).get(expr.name, [])
            else:
                given = []
            found.update(((value.scope.path, value.expr.at), value) for value in given)
        return list(found.values())

    def _holders(self, expr: m.Expr, scope: Scope) -> Iterator[Value]:
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Value) and isinstance(meaning.expr, m.Call):
            yield meaning
        if isinstance(meaning, Parameter):
            function = self.calls.function_of(meaning.scope)
            passed = self.calls.passed(function, meaning.param.name) if function is not None else []
            for one in passed[:_MAX_CALLERS]:
                given = self.names.resolve(one.value.expr, one.value.scope) if one.value is not None else None
                if isinstance(given, Value) and isinstance(given.expr, m.Call):
                    yield given

    def _filled(self, holder: Value) -> dict[str, list[Value]]:
        """``cfg.name = value`` at the level where the object is made, under any of its names."""
        key = (holder.scope.path, holder.expr.at)
        if key not in self._assigned:
            found = self._assigned[key] = {}
            for node in own_nodes(holder.scope):
                target = node.targets[0] if isinstance(node, m.Assign) and node.value is not None else None
                if isinstance(target, m.Attr) and self.names.resolve(target.value, holder.scope) == holder:
                    assert isinstance(node, m.Assign) and node.value is not None
                    found.setdefault(target.name, []).append(Value(node.value, holder.scope))
        return self._assigned[key]

    @cached_property
    def _options(self) -> dict[str, dict[str, list[Value]]]:
        """The defaults of ``add_argument("--bn-momentum", default=0.1)``, by file and attribute."""
        found: dict[str, dict[str, list[Value]]] = {}
        for site in self.calls.by_word.get("add_argument", ()):
            given = {arg.keyword: arg.value for arg in site.call.args if arg.keyword is not None}
            default = given.get("default")
            if default is not None:
                for name in _attributes(site.call, given):
                    here = found.setdefault(site.scope.path, {})
                    here.setdefault(name, []).append(Value(default, site.scope))
        return found


def _attributes(call: m.Call, given: dict[str, m.Expr]) -> list[str]:
    named = given.get("dest")
    if isinstance(named, m.Const) and isinstance(named.value, str):
        return [named.value]
    texts = [arg.value.value for arg in call.args if arg.keyword is None and isinstance(arg.value, m.Const)]
    long = [text.lstrip("-").replace("-", "_") for text in texts if isinstance(text, str) and len(text.lstrip("-")) > 1]
    return long[:1]


def _last(call: m.Call) -> str:
    func = call.func
    return func.name if isinstance(func, m.Attr) else func.id if isinstance(func, m.Name) else ""
