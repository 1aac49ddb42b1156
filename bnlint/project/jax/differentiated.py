"""Functions whose gradient is taken with JAX: given to ``jax.grad``, ``value_and_grad`` or their kin."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.frameworks import jax
from bnlint.project.calls import Calls, Site
from bnlint.project.names import Definition, Value
from bnlint.project.scopes import Scope

_MAX_DEPTH = 6
# A method of flax's DynamicScale, whatever object it is called on.
_SCALED = "DynamicScale.value_and_grad"


class Gradient(NamedTuple):
    """One place where a gradient transform takes a function; its auxiliary result then stands at `aux`, if it has one."""

    site: Site
    aux: tuple[int, ...] | None


class Differentiated:
    """Which functions of the project are differentiated, and where."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.names = calls.names
        self._index: dict[tuple[str, int], list[Gradient]] | None = None

    def gradients(self, function: Definition) -> list[Gradient]:
        """The transforms that take this function."""
        if self._index is None:
            self._index = {}
            for key, gradient in self._all():
                self._index.setdefault(key, []).append(gradient)
        return self._index.get(function.key, [])

    def trains(self, scope: Scope, depth: int = 0) -> bool:
        """Whether code of this scope runs under a gradient, in its own function or one that calls it."""
        current: Scope | None = scope
        while current is not None and depth <= _MAX_DEPTH:
            if isinstance(current.node, m.Function):
                own = Definition(current.node, current)
                if self.gradients(own) or any(self.trains(s.scope, depth + 1) for s in self.calls.sites(own)):
                    return True
            elif isinstance(current.node, m.Lambda) and self._lambda(current):
                return True
            current = current.parent
        return False

    def _lambda(self, scope: Scope) -> bool:
        if scope.parent is None or scope.node is None:
            return False
        for site in self.calls.sites_in(scope.path):
            first = site.call.args[0].value if site.call.args else None
            if first is scope.node and self.transform(site.call.func, site.scope) is not None:
                return True
        return False

    def transform(self, func: m.Expr, scope: Scope) -> str | None:
        """The name of the gradient transform that `func` is."""
        name = self.names.qualified(func, scope)
        if name is None and isinstance(func, m.Attr) and func.name == "value_and_grad":
            return _SCALED
        return name if name is not None and jax.GRADIENTS.search(name) else None

    def _all(self) -> Iterator[tuple[tuple[str, int], Gradient]]:
        for site in self.calls.all_sites():
            name = self.transform(site.call.func, site.scope)
            if name is not None and site.call.args:
                target = self.unwrapped(site.call.args[0].value, site.scope)
                if target is not None:
                    yield target.key, _gradient(name, site)
            elif self.names.qualified(site.call.func, site.scope) == "functools.partial" and site.call.args:
                name = self.transform(site.call.args[0].value, site.scope)
                if name is not None and len(site.call.args) > 1:
                    target = self.unwrapped(site.call.args[1].value, site.scope)
                    if target is not None:
                        yield target.key, _gradient(name, site)
        yield from self._decorated()

    def _decorated(self) -> Iterator[tuple[tuple[str, int], Gradient]]:
        for path in self.names.files:
            for scope in self.names.scopes(path).values():
                if not isinstance(scope.node, m.Function) or scope.parent is None:
                    continue
                for decorator in scope.node.decorators:
                    call = decorator if isinstance(decorator, m.Call) else m.Call(decorator.at, decorator, ())
                    func = call.func
                    if self.names.qualified(func, scope.parent) == "functools.partial" and call.args:
                        func = call.args[0].value
                    name = self.transform(func, scope.parent)
                    if name is not None:
                        yield (path, scope.node.at), _gradient(name, Site(call, scope.parent))

    def unwrapped(self, expr: m.Expr, scope: Scope, depth: int = 0) -> Definition | None:
        """The project's function that `expr` is, seen through jit, partial and the like."""
        if depth > _MAX_DEPTH:
            return None
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            return self.unwrapped(meaning.expr, meaning.scope, depth + 1)
        if isinstance(meaning, Definition):
            return meaning if isinstance(meaning.node, m.Function) else None
        if isinstance(expr, m.Call) and expr.args:
            name = self.names.qualified(expr.func, scope)
            if name is not None and jax.TRANSPARENT.search(name):
                return self.unwrapped(expr.args[0].value, scope, depth + 1)
        if isinstance(expr, m.Attr):
            owner = self.calls.instance(expr.value, scope)
            if isinstance(owner, Definition):
                return self.names.method(owner, expr.name)
        return None


def _gradient(name: str, site: Site) -> Gradient:
    has = next((arg.value for arg in site.call.args if arg.keyword == "has_aux"), None)
    if not isinstance(has, m.Const) or has.value is not True:
        return Gradient(site, None)
    if name == _SCALED:
        return Gradient(site, (2, 1))  # dynamic_scale, is_finite, (loss, aux), gradients
    return Gradient(site, (0, 1) if "value_and_grad" in name else (1,))


__all__ = ["Differentiated", "Gradient"]
