"""Which batch norm an expression means: a class, a partial, a name or attribute that was given one, a subclass."""

from bnlint.facts import model as m
from bnlint.frameworks.norms import Norm, norm_named
from bnlint.project.calls import Calls
from bnlint.project.names import Definition, External, Parameter, Value
from bnlint.project.scopes import Scope

_MAX_DEPTH = 8


class NormNames:
    """Looks up batch norms by name, across the project."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.names = calls.names

    def named(self, expr: m.Expr, scope: Scope, depth: int = 0) -> tuple[Norm, int] | None:
        """The batch norm that `expr` means, and how many positional arguments a partial has filled."""
        if depth > _MAX_DEPTH:
            return None
        if isinstance(expr, m.Call):
            return self._partial(expr, scope, depth + 1)
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, External):
            norm = norm_named(meaning.name)
            return (norm, 0) if norm is not None else None
        if isinstance(meaning, Value):
            return self.named(meaning.expr, meaning.scope, depth + 1)
        if isinstance(meaning, Parameter):
            return self._given(meaning, depth + 1)
        if isinstance(meaning, Definition) and isinstance(meaning.node, m.Class):
            return self._subclass(meaning)
        if isinstance(expr, m.Attr):
            value = self.only_attribute(expr, scope)
            return self.named(value.expr, value.scope, depth + 1) if value is not None else None
        return self._defaulted(expr.id, scope, depth + 1) if isinstance(expr, m.Name) else None

    def _partial(self, call: m.Call, scope: Scope, depth: int) -> tuple[Norm, int] | None:
        name = self.names.qualified(call.func, scope)
        if name not in ("functools.partial", "jax.tree_util.Partial") or not call.args:
            return None
        inner = self.named(call.args[0].value, scope, depth)
        filled = sum(arg.keyword is None for arg in call.args[1:])
        return (inner[0], inner[1] + filled) if inner is not None else None

    def _given(self, parameter: Parameter, depth: int) -> tuple[Norm, int] | None:
        """``norm_layer=nn.BatchNorm2d``: its default, unless no caller leaves it; else what every known caller gives."""
        default = parameter.param.default
        function = self.calls.function_of(parameter.scope)
        passed = self.calls.passed(function, parameter.param.name) if function is not None else []
        left = not passed or any(not one.explicit or not one.known for one in passed)
        if default is not None and not _is_none(default) and left:
            return self.named(default, parameter.scope.parent or parameter.scope, depth)
        values = [one.value for one in passed if one.value is not None and not _is_none(one.value.expr)]
        found = [self.named(value.expr, value.scope, depth) for value in values[:4]]
        return found[0] if found and all(one == found[0] for one in found) else None

    def _defaulted(self, name: str, scope: Scope, depth: int) -> tuple[Norm, int] | None:
        """``def f(norm_layer=None): if norm_layer is None: norm_layer = nn.BatchNorm2d``."""
        hit = scope.lookup(name)
        if hit is None or {binding.kind for binding in hit[1]} != {"param", "value"}:
            return None
        param = next(binding.node for binding in hit[1] if binding.kind == "param")
        if param.default is None or not _is_none(param.default):
            return None
        found = [self.named(b.node, hit[0], depth) for b in hit[1] if b.kind == "value"]
        return found[0] if len(found) == 1 else None

    def _subclass(self, cls: Definition) -> tuple[Norm, int] | None:
        if self.names.method(cls, "__init__") is not None:
            return None  # its own signature; what it hands on is seen at its super().__init__(…)
        bases = [norm_named(base.name) for base in self.names.ancestors(cls) if isinstance(base, External)]
        norm = next((base for base in bases if base is not None), None)
        return (norm, 0) if norm is not None else None

    def only_attribute(self, expr: m.Attr, scope: Scope) -> Value | None:
        """What the attribute of an object of the project is set to, if that is one thing."""
        owner = self.calls.instance(expr.value, scope)
        values = self.names.attribute_values(owner, expr.name) if isinstance(owner, Definition) else []
        return values[0] if len(values) == 1 else None


def _is_none(expr: m.Expr) -> bool:
    return isinstance(expr, m.Const) and expr.value is None
