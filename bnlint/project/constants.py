"""Numbers of a program: what an expression is worth, through names, defaults, attributes, arguments and arithmetic."""

from collections.abc import Callable
from math import prod
from typing import Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.project.calls import Calls
from bnlint.project.names import Definition, Parameter, Value
from bnlint.project.scopes import Scope
from bnlint.project.settings import Settings

_MAX_DEPTH = 8
_MAX_NUMBERS = 16
How = Literal["literal", "name", "default", "argument"]


class Number(NamedTuple):
    """A number that reaches an expression; `at` in `path` is the record that states it, `how` the last step to it."""

    value: float
    path: str
    at: int
    how: How = "literal"


def _minus(parts: list[float]) -> float:
    return parts[0] - sum(parts[1:])


def _over(parts: list[float]) -> float:
    return parts[0] / prod(parts[1:])


_ARITHMETIC: dict[str, Callable[[list[float]], float]] = {
    "+": sum,
    "-": _minus,
    "*": prod,
    "/": _over,
    "neg": lambda parts: -parts[0],
    "pos": lambda parts: parts[0],
}


class Constants:
    """Numbers that are known for sure; an empty list is "unknown"."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.names = calls.names
        self.settings = Settings(calls)

    def numbers(self, expr: m.Expr, scope: Scope, depth: int = 0) -> list[Number]:
        """All numbers that `expr` is known to be (several where callers or defaults differ)."""
        if depth > _MAX_DEPTH:
            return []
        if isinstance(expr, m.Const):
            value = expr.value
            plain = isinstance(value, int | float) and not isinstance(value, bool)
            return [Number(float(value), scope.path, expr.at)] if plain else []  # type: ignore[arg-type]
        if isinstance(expr, m.Op):
            return self._computed(expr, scope, depth + 1)
        if isinstance(expr, m.Call):
            inner = isinstance(expr.func, m.Name) and expr.func.id == "float" and len(expr.args) == 1
            return self.numbers(expr.args[0].value, scope, depth + 1) if inner else []
        if isinstance(expr, m.Name | m.Attr):
            return self._named(expr, scope, depth + 1)[:_MAX_NUMBERS]
        if isinstance(expr, m.Item):
            return self._item(expr, scope, depth + 1)
        return []

    def number(self, expr: m.Expr, scope: Scope) -> float | None:
        """The one number that `expr` is, if it is one."""
        found = {number.value for number in self.numbers(expr, scope)}
        return found.pop() if len(found) == 1 else None

    def _computed(self, expr: m.Op, scope: Scope, depth: int) -> list[Number]:
        compute = _ARITHMETIC.get(expr.op)
        parts = [self.numbers(arg, scope, depth) for arg in expr.args]
        if compute is None or any(len(part) != 1 for part in parts):
            return []
        try:
            return [Number(float(compute([part[0].value for part in parts])), scope.path, expr.at)]
        except (ArithmeticError, ValueError):
            return []

    def _named(self, expr: m.Name | m.Attr, scope: Scope, depth: int) -> list[Number]:
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            return _via("name", self.numbers(meaning.expr, meaning.scope, depth))
        if isinstance(meaning, Parameter):
            return self._given(meaning, depth)
        if isinstance(expr, m.Attr):
            owner = self._owner(expr.value, scope)
            if owner is not None:
                return self._attribute(owner, expr.name, depth)
            given = self.settings.values(expr, scope)
            return [n for one in given for n in _via("argument", self.numbers(one.expr, one.scope, depth))]
        return []

    def _owner(self, expr: m.Expr, scope: Scope) -> Definition | None:
        """The class of the project whose attribute is asked for: of an object, or of the class itself."""
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Definition) and isinstance(meaning.node, m.Class):
            return meaning
        made = self.calls.instance(expr, scope)
        return made if isinstance(made, Definition) else None

    def _item(self, expr: m.Item, scope: Scope, depth: int) -> list[Number]:
        """``CONFIG["momentum"]`` of a literal dictionary."""
        meaning = self.names.resolve(expr.value, scope)
        key = expr.keys[0] if len(expr.keys) == 1 else None
        if not isinstance(meaning, Value) or not isinstance(key, m.Const):
            return []
        made = meaning.expr
        items = [(k.value, v) for k, v in made.items if isinstance(k, m.Const)] if isinstance(made, m.Dict) else []
        if isinstance(made, m.Call) and isinstance(made.func, m.Name) and made.func.id == "dict":
            items = [(arg.keyword, arg.value) for arg in made.args]
        found = [value for name, value in items if name == key.value]
        return _via("name", self.numbers(found[-1], meaning.scope, depth)) if found else []

    def _attribute(self, owner: Definition, name: str, depth: int) -> list[Number]:
        given = self._fields(owner, name, depth)
        values = self.names.attribute_values(owner, name)
        return [*given, *(n for v in values for n in _via("name", self.numbers(v.expr, v.scope, depth)))]

    def _fields(self, owner: Definition, name: str, depth: int) -> list[Number]:
        # A dataclass (flax modules are): callers give the class attribute as a keyword.
        if self.names.method(owner, "__init__") is not None or name not in owner.scope.names:
            return []
        given = [(arg, site) for site in self.calls.sites(owner) for arg in site.call.args if arg.keyword == name]
        return [n for arg, site in given for n in _via("argument", self.numbers(arg.value, site.scope, depth))]

    def _given(self, parameter: Parameter, depth: int) -> list[Number]:
        function = self.calls.function_of(parameter.scope)
        passed = self.calls.passed(function, parameter.param.name) if function is not None else []
        found: list[Number] = []
        default = parameter.param.default
        if default is not None and (not passed or any(not one.explicit for one in passed)):
            outside = parameter.scope.parent or parameter.scope
            found.extend(_via("default", self.numbers(default, outside, depth)))
        for one in passed:
            if one.explicit and one.value is not None:
                found.extend(_via("argument", self.numbers(one.value.expr, one.value.scope, depth)))
        return found


def _via(how: How, numbers: list[Number]) -> list[Number]:
    return [n if n.how != "literal" else n._replace(how=how) for n in numbers]
