"""Who calls whom, with what, and of which class an object is: the call graph over all files."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.names import Definition, External, Meaning, Names, Parameter, Value
from bnlint.project.scopes import Scope
from bnlint.project.tables import Tables

_MAX_DEPTH = 12
# An object of a class is called through one of these: plain Python, torch and linen, Keras.
_CALL_METHODS = ("__call__", "forward", "call")


class Site(NamedTuple):
    """A call and the scope it stands in."""

    call: m.Call
    scope: Scope


class Passed(NamedTuple):
    """What one caller gives to a parameter: `value` None and `known` False when a star argument hides it.

    A parameter left to its default has the default as `value` and `explicit` False.
    """

    value: Value | None
    site: Site
    explicit: bool
    known: bool = True


class Calls:
    """Call graph. Answers are what is known for sure; None or an empty list is "unknown"."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._tables = Tables(names)
        self._instances: dict[tuple[str, int, str], Definition | External | None] = {}

    # --- what is called ---

    def target(self, call: m.Call, scope: Scope) -> Definition | External | None:
        """The function, method or class a call means. Calling an object means its ``__call__``, ``forward`` or ``call``."""
        return self._callee(call.func, scope, 0)

    def _callee(self, func: m.Expr, scope: Scope, depth: int) -> Definition | External | None:
        meaning = self.names.resolve(func, scope)
        if isinstance(meaning, Definition | External):
            return meaning
        if depth > _MAX_DEPTH:
            return None
        if isinstance(func, m.Call) and _is_super(func):
            return None
        if isinstance(func, m.Attr):
            method = self._method(func, scope, depth + 1)
            if method is not None:
                return method
        return self._called_object(func, scope, depth + 1)

    def _method(self, func: m.Attr, scope: Scope, depth: int) -> Definition | External | None:
        if isinstance(func.value, m.Call) and _is_super(func.value):
            return self._super_method(func.name, scope)
        owner = self.instance(func.value, scope, depth)
        if isinstance(owner, External):
            return External(f"{owner.name}.{func.name}")
        return self.names.method(owner, func.name) if owner is not None else None

    def _super_method(self, name: str, scope: Scope) -> Definition | External | None:
        cls = self.names.class_of(scope)
        for base in self.names.ancestors(cls)[1:] if cls is not None else ():
            if isinstance(base, External):
                return External(f"{base.name}.{name}")
            if name in base.scope.names:
                return self.names.method(base, name)
        return None

    def _called_object(self, func: m.Expr, scope: Scope, depth: int) -> Definition | None:
        cls = self.instance(func, scope, depth)
        if not isinstance(cls, Definition):
            return None
        methods = (self.names.method(cls, name) for name in _CALL_METHODS)
        return next((method for method in methods if method is not None), None)

    # --- of which class is it ---

    def instance(self, expr: m.Expr, scope: Scope, depth: int = 0) -> Definition | External | None:
        """The class of which `expr` is an instance; for something outside the project, what was called to make it."""
        if depth > _MAX_DEPTH:
            return None
        key = (scope.path, expr.at, scope.qualname)
        if key not in self._instances:
            self._instances[key] = None  # a value that is defined by itself is unknown
            self._instances[key] = self._instance(expr, scope, depth + 1)
        return self._instances[key]

    def _instance(self, expr: m.Expr, scope: Scope, depth: int) -> Definition | External | None:
        if isinstance(expr, m.Call):
            return self._made_by(expr, scope, depth)
        if isinstance(expr, m.Name):
            if _is_self(expr.id, scope):
                return self.names.class_of(scope)
            return self._same(self._values_of_name(expr.id, scope), depth)
        if isinstance(expr, m.Attr):
            owner = self.instance(expr.value, scope, depth)
            if isinstance(owner, Definition):
                return self._same(self.names.attribute_values(owner, expr.name), depth)
        if isinstance(expr, m.Choice):
            return self._same([Value(expr.then, scope), Value(expr.other, scope)], depth)
        return None

    def _values_of_name(self, name: str, scope: Scope) -> list[Value]:
        hit = scope.lookup(name)
        if hit is None:
            return []
        home, bindings = hit
        if all(b.kind == "value" for b in bindings):
            return [Value(b.node, home) for b in bindings if not _is_none(b.node)]
        return []

    def _same(self, values: list[Value], depth: int) -> Definition | External | None:
        kinds = [self.instance(v.expr, v.scope, depth) for v in values if not _is_none(v.expr)]
        return kinds[0] if kinds and all(kind == kinds[0] for kind in kinds) else None

    def _made_by(self, call: m.Call, scope: Scope, depth: int) -> Definition | External | None:
        maker = self._callee(call.func, scope, depth)
        if isinstance(maker, Definition) and isinstance(maker.node, m.Function):
            return self._same(self.returned(maker), depth)
        return maker

    def returned(self, function: Definition) -> list[Value]:
        """All that a function returns."""
        own = walk(function.node, into_scopes=False)
        return [
            Value(node.value, function.scope) for node in own if isinstance(node, m.Return) and node.value is not None
        ]

    # --- who calls ---

    @cached_property
    def _sites(self) -> dict[tuple[str, int], list[Site]]:
        index: dict[tuple[str, int], list[Site]] = {}
        for site in self.all_sites():
            target = self.target(site.call, site.scope)
            for one in (target,) if target is not None else self._tables.choices(site.call, site.scope):
                if isinstance(one, Definition):
                    index.setdefault(one.key, []).append(site)
                if isinstance(one, Definition) and isinstance(one.node, m.Class):
                    init = self.names.method(one, "__init__")  # its own, or the one it inherits
                    if init is not None:
                        index.setdefault(init.key, []).append(site)
        return index

    @cached_property
    def by_word(self) -> dict[str, list[Site]]:
        """Calls of attributes (``x.word(…)``) by that word, whatever they mean."""
        index: dict[str, list[Site]] = {}
        for site in self.all_sites():
            if isinstance(site.call.func, m.Attr):
                index.setdefault(site.call.func.name, []).append(site)
        return index

    def all_sites(self) -> Iterator[Site]:
        """Every call of the project."""
        for path in self.names.files:
            yield from self.sites_in(path)

    def sites_in(self, path: str) -> Iterator[Site]:
        """Every call of one file."""
        for scope in self.names.scopes(path).values():
            for node in scope.of(m.Call):
                yield Site(node, scope)

    def sites(self, callee: Definition) -> list[Site]:
        """All calls known to mean this function, method or class; of ``__init__``, those that make an object by it."""
        return self._sites.get(callee.key, [])

    def function_of(self, scope: Scope) -> Definition | None:
        """The function whose scope this is, or the class if it is its ``__init__``: what a caller calls."""
        if not isinstance(scope.node, m.Function):
            return None
        cls = self.names.class_of(scope) if scope.node.name == "__init__" else None
        return cls if cls is not None else Definition(scope.node, scope)

    def made_at(self, callee: Definition) -> list[Site]:
        """Calls of a function; for a class, also of those that inherit its ``__init__`` or call it by ``super()``."""
        if not isinstance(callee.node, m.Class):
            return self.sites(callee)
        heirs = self._heirs.get(callee.key, ())
        init = self.names.method(callee, "__init__") if "__init__" in callee.scope.names else None
        supers = [s for s in self.sites(init) if _through_super(s.call)] if init is not None else []
        return [*self.sites(callee), *(site for heir in heirs for site in self.sites(heir)), *supers]

    @cached_property
    def _heirs(self) -> dict[tuple[str, int], list[Definition]]:
        """Classes without an ``__init__`` of their own, by the class of the project whose they inherit."""
        found: dict[tuple[str, int], list[Definition]] = {}
        for path in self.names.files:
            for scope in self.names.scopes(path).values():
                if not isinstance(scope.node, m.Class) or "__init__" in scope.names:
                    continue
                heir = Definition(scope.node, scope)
                init = self.names.method(heir, "__init__")
                owner = self.names.class_of(init.scope) if init is not None else None
                if owner is not None:
                    found.setdefault(owner.key, []).append(heir)
        return found

    def passed(self, callee: Definition, name: str) -> list[Passed]:
        """What every known caller gives to parameter `name`; for a class, to its ``__init__``."""
        function = callee
        if isinstance(callee.node, m.Class):
            init = self.names.method(callee, "__init__")
            if init is None:
                return []
            function = init
        assert isinstance(function.node, m.Function)
        skip = is_method(function)
        return [self._given(function, name, site, skip=skip) for site in self.made_at(callee)]

    def _given(self, function: Definition, name: str, site: Site, *, skip: bool) -> Passed:
        assert isinstance(function.node, m.Function)
        found = argument(site.call, function.node.params[1:] if skip else function.node.params, name)
        if found is None:
            return Passed(None, site, explicit=True, known=False)
        value, explicit = found
        if value is None:
            return Passed(None, site, explicit=False)
        home = site.scope if explicit else (function.scope.parent or function.scope)
        return Passed(Value(value, home), site, explicit)


def own_nodes(scope: Scope) -> list[m.Node]:
    """Records that are evaluated in `scope` itself: nested functions and classes only with decorators and defaults."""
    return scope.own


def argument(call: m.Call, params: tuple[m.Param, ...], name: str) -> tuple[m.Expr | None, bool] | None:
    """What `call` gives to parameter `name`: (expression, explicit), the default if left out, None if a star hides it.

    `params` are those the caller fills, so without ``self``.
    """
    hidden = False
    position = 0
    plain = [p.name for p in params if p.kind in ("positional", "plain")]
    for arg in call.args:
        if arg.keyword == name:
            return arg.value, True
        if arg.star:
            hidden = True
        elif arg.keyword is None:
            if not hidden and position < len(plain) and plain[position] == name:
                return arg.value, True
            position += 1
    if hidden:
        return None
    default = next((p.default for p in params if p.name == name), None)
    return default, False


def is_method(function: Definition) -> bool:
    """Whether the first parameter is filled by Python (a method that is not static)."""
    parent = function.scope.parent
    if parent is None or not isinstance(parent.node, m.Class) or not isinstance(function.node, m.Function):
        return False
    return not any(isinstance(d, m.Name) and d.id == "staticmethod" for d in function.node.decorators)


def _is_self(name: str, scope: Scope) -> bool:
    method: Scope | None = scope
    while method is not None:
        parent = method.parent
        if isinstance(method.node, m.Function) and parent is not None and isinstance(parent.node, m.Class):
            return bool(method.node.params) and method.node.params[0].name == name
        if name in method.names:
            return False
        method = parent
    return False


def _is_super(call: m.Expr) -> bool:
    return isinstance(call, m.Call) and isinstance(call.func, m.Name) and call.func.id == "super"


def _through_super(call: m.Call) -> bool:
    return isinstance(call.func, m.Attr) and _is_super(call.func.value)


def _is_none(expr: m.Expr) -> bool:
    return isinstance(expr, m.Const) and expr.value is None


__all__ = ["Calls", "Meaning", "Parameter", "Passed", "Site", "argument", "is_method", "own_nodes"]
