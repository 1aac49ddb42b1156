"""Of which project classes an object may be, also when it comes through a parameter or as part of a tuple."""

from bnlint.facts import model as m
from bnlint.project.calls import Calls
from bnlint.project.names import Definition, Parameter, Value
from bnlint.project.scopes import Scope

_MAX_DEPTH = 8


class Kinds:
    """Possible classes of objects; what is unknown is left out."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.names = calls.names
        self._memo: dict[tuple[str, int, str], list[Definition]] = {}

    def of(self, expr: m.Expr, scope: Scope, depth: int = 0) -> list[Definition]:
        """Project classes that `expr` may be an object of."""
        key = (scope.path, expr.at, scope.qualname)
        if key not in self._memo:
            self._memo[key] = []
            self._memo[key] = self._of(expr, scope, depth) if depth <= _MAX_DEPTH else []
        return self._memo[key]

    def _of(self, expr: m.Expr, scope: Scope, depth: int) -> list[Definition]:
        instance = self.calls.instance(expr, scope)
        if isinstance(instance, Definition):
            return [instance] if isinstance(instance.node, m.Class) else []
        values = self._values(expr, scope)
        return [cls for value in values for cls in self.of(value.expr, value.scope, depth + 1)]

    def _values(self, expr: m.Expr, scope: Scope) -> list[Value]:
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            return [meaning]
        if isinstance(meaning, Parameter):
            return self._given(meaning)
        if isinstance(expr, m.Choice):
            return [Value(expr.then, scope), Value(expr.other, scope)]
        if isinstance(expr, m.Attr):
            owners = self.of(expr.value, scope, 1)
            return [value for owner in owners for value in self.names.attribute_values(owner, expr.name)]
        if isinstance(expr, m.Name):
            hit = scope.lookup(expr.id)
            return [Value(b.node, hit[0]) for b in hit[1] if b.kind == "value"] if hit is not None else []
        if isinstance(expr, m.Call):
            maker = self.calls.target(expr, scope)
            made = isinstance(maker, Definition) and isinstance(maker.node, m.Function)
            return self.calls.returned(maker) if made and isinstance(maker, Definition) else []
        return []

    def _given(self, parameter: Parameter) -> list[Value]:
        scope = parameter.scope
        if not isinstance(scope.node, m.Function):
            return []
        cls = self.names.class_of(scope) if scope.node.name == "__init__" else None
        passed = self.calls.passed(cls or Definition(scope.node, scope), parameter.param.name)
        return [one.value for one in passed if one.value is not None]
