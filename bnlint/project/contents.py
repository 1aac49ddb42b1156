"""What a model holds: the layers inside it that depend on the mode, wherever in the project it is built."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import dotted
from bnlint.frameworks import jax, keras
from bnlint.project.constants import Constants
from bnlint.project.names import Definition, External, Parameter, Value
from bnlint.project.scopes import Scope
from bnlint.project.slices import Part, Step, block_of, made_of, on_by_default, parts_of_block, steps

_MAX_DEPTH = 12


class Held(NamedTuple):
    """A mode-dependent layer; `sure` is False where it is built under a condition or by one of several makers."""

    kind: str
    name: str
    path: str
    at: int
    sure: bool = True


class Content(NamedTuple):
    """What is held; `known` is False where a part of the model could not be found."""

    held: tuple[Held, ...] = ()
    known: bool = True

    @property
    def sure(self) -> bool:
        """Whether one layer is there for certain."""
        return any(layer.sure for layer in self.held)


UNKNOWN = Content((), known=False)
EMPTY = Content()


def join(contents: Iterable[Content]) -> Content:
    """All that is held by any part of one model."""
    parts = list(contents)
    held = {(h.path, h.at): h for part in parts for h in sorted(part.held, key=lambda h: h.sure)}
    return Content(tuple(held.values()), all(part.known for part in parts))


def either(contents: Iterable[Content]) -> Content:
    """What is held by one of several models: certain if each holds something; one that cannot be looked into may be any."""
    parts = list(contents)
    if not parts:
        return UNKNOWN
    joined = join(parts)
    if all(part.held for part in parts):
        return joined
    return Content(tuple(h._replace(sure=False) for h in joined.held), joined.known)


class Contents:
    """Contents of models, classes and the functions that build them; computed once each."""

    def __init__(self, constants: Constants) -> None:
        self.constants = constants
        self.calls = constants.calls
        self.names = constants.names
        self._memo: dict[tuple[str, int, str], Content] = {}
        self._steps: dict[tuple[str, str], list[Step]] = {}

    # --- of a value ---

    def of(self, expr: m.Expr, scope: Scope, depth: int = 0) -> Content:
        """What the model that `expr` evaluates to holds."""
        if depth > _MAX_DEPTH:
            return UNKNOWN
        key = (scope.path, expr.at, scope.qualname)
        if key not in self._memo:
            self._memo[key] = EMPTY  # built from itself: nothing more
            self._memo[key] = self._of(expr, scope, depth + 1)
        return self._memo[key]

    def _of(self, expr: m.Expr, scope: Scope, depth: int) -> Content:
        if isinstance(expr, m.Const):
            return EMPTY
        if isinstance(expr, m.Name):
            return self._of_name(expr, scope, depth)
        if isinstance(expr, m.Attr):
            return self._of_attribute(expr, scope, depth)
        if isinstance(expr, m.Choice):
            return either([self.of(expr.then, scope, depth), self.of(expr.other, scope, depth)])
        return self._made(expr, scope, depth)

    def _flow(self, scope: Scope) -> list[Step]:
        key = (scope.path, scope.qualname)
        if key not in self._steps:
            self._steps[key] = steps(block_of(scope, self.names), on_by_default(scope))
        return self._steps[key]

    def _made(self, expr: m.Expr, scope: Scope, depth: int) -> Content:
        parts, open_names = made_of(expr, self._flow(scope), expr.at)
        outer = [self._of_open(name, scope, depth) for name in sorted(open_names)]
        return join([self.of_parts(parts, scope, depth), *outer])

    def _of_open(self, name: str, scope: Scope, depth: int) -> Content:
        hit = scope.lookup(name)
        if hit is None or hit[0] is scope or any(b.kind != "value" for b in hit[1]):
            return EMPTY
        return either([self.of(b.node, hit[0], depth) for b in hit[1]])

    def _of_name(self, expr: m.Name, scope: Scope, depth: int) -> Content:
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Parameter):
            return self.of_parameter(meaning, depth)
        if isinstance(meaning, Value):
            return join([self.of(meaning.expr, meaning.scope, depth), self._added(expr.id, meaning.scope, depth)])
        if isinstance(meaning, Definition):
            return self.of_definition(meaning, depth)
        if isinstance(meaning, External):
            return self._of_external(meaning.name, None, scope)
        hit = scope.lookup(expr.id)
        if hit is None:
            return UNKNOWN
        return self._of_bindings(expr.id, hit[0], depth)

    def _of_bindings(self, name: str, home: Scope, depth: int) -> Content:
        bindings = home.names[name]
        values = [b.node for b in bindings if b.kind == "value" and not _is_none(b.node)]
        if len(values) == sum(not _is_none(b.node) for b in bindings) and values:
            return join([either([self.of(v, home, depth) for v in values]), self._added(name, home, depth)])
        return self._unpacked(name, home, depth)

    def _unpacked(self, name: str, home: Scope, depth: int) -> Content:
        """``generator, discriminator = build()``: the part of what the function returns."""
        for step in self._flow(home):
            node = step.node
            if (
                not isinstance(node, m.Assign)
                or not isinstance(node.value, m.Call)
                or not isinstance(node.targets[0], m.Seq)
            ):
                continue
            names = [item.id if isinstance(item, m.Name) else None for item in node.targets[0].items]
            maker = self.calls.target(node.value, home) if name in names else None
            if isinstance(maker, Definition) and isinstance(maker.node, m.Function):
                returned = [v for v in self.calls.returned(maker) if isinstance(v.expr, m.Seq)]
                fitting = [v for v in returned if isinstance(v.expr, m.Seq) and len(v.expr.items) == len(names)]
                parts = [(v.expr.items[names.index(name)], v.scope) for v in fitting if isinstance(v.expr, m.Seq)]
                return either([self.of(part, scope, depth) for part, scope in parts])
        return UNKNOWN

    def _added(self, name: str, scope: Scope, depth: int) -> Content:
        """``model.add(layer)`` after ``model = Sequential()``."""
        probe = m.Name(-1, name)
        flow = [s for s in self._flow(scope) if isinstance(s.node, m.Do)]
        parts, _ = made_of(probe, flow, float("inf"))
        return self.of_parts(parts, scope, depth)

    def of_parameter(self, parameter: Parameter, depth: int = 0) -> Content:
        """What the known callers give, one or another; unknown without callers."""
        function = self._function(parameter.scope)
        passed = self.calls.passed(function, parameter.param.name) if function is not None else []
        given = [one.value for one in passed if one.value is not None and not _is_none(one.value.expr)]
        parts = [self.of(value.expr, value.scope, depth + 1) for value in given]
        hidden = not given or len(given) != len(passed)
        return join([either(parts), *([UNKNOWN] if hidden else [])])

    def _function(self, scope: Scope) -> Definition | None:
        if not isinstance(scope.node, m.Function):
            return None
        cls = self.names.class_of(scope) if scope.node.name == "__init__" else None
        return cls or Definition(scope.node, scope)

    def _of_attribute(self, expr: m.Attr, scope: Scope, depth: int) -> Content:
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            return self.of(meaning.expr, meaning.scope, depth)
        if isinstance(meaning, Definition):
            return self.of_definition(meaning, depth)
        if isinstance(meaning, External):
            return self._of_external(meaning.name, None, scope)
        owner = self.calls.instance(expr.value, scope)
        if not isinstance(owner, Definition):
            return UNKNOWN
        values = [v for v in self.names.attribute_values(owner, expr.name) if not _is_none(v.expr)]
        added = [self._added_to_attribute(owner, expr.name, depth)]
        return join([either([self.of(v.expr, v.scope, depth) for v in values]), *added]) if values else UNKNOWN

    def _added_to_attribute(self, owner: Definition, name: str, depth: int) -> Content:
        assert isinstance(owner.node, m.Class)
        found: list[Content] = []
        for part in parts_of_block(owner.node.body):
            node = part.node
            if not isinstance(node, m.Call) or not isinstance(node.func, m.Attr) or not node.args:
                continue
            if node.func.name in ("add", "append") and dotted(node.func.value) == f"self.{name}":
                found.append(self.of(node.args[0].value, owner.scope, depth))
        return join(found)

    # --- of definitions ---

    def of_definition(self, definition: Definition, depth: int = 0) -> Content:
        """What objects of a class, or what a function returns, hold."""
        if isinstance(definition.node, m.Class):
            return self.of_class(definition, depth)
        key = (definition.path, definition.node.at, "<returned>")
        if key not in self._memo and depth <= _MAX_DEPTH:
            self._memo[key] = EMPTY
            returned = [v for v in self.calls.returned(definition) if not _is_none(v.expr)]
            self._memo[key] = either([self._of_returned(v, depth + 1) for v in returned])
        return self._memo.get(key, UNKNOWN)

    def _of_returned(self, value: Value, depth: int) -> Content:
        if isinstance(value.expr, m.Name) and value.expr.id in value.scope.names:
            inner = self.names.resolve(value.expr, value.scope)  # a function that makes the model, given back
            if isinstance(inner, Definition):
                return self.of_definition(inner, depth)
            return self._made(value.expr, value.scope, depth)
        return self.of(value.expr, value.scope, depth)

    def of_class(self, cls: Definition, depth: int = 0) -> Content:
        """What the objects of a project's class hold: all that its bodies and its bases build, and what it is given."""
        key = (cls.path, cls.node.at, "<class>")
        if key not in self._memo and depth <= _MAX_DEPTH:
            self._memo[key] = EMPTY
            owners = [a for a in self.names.ancestors(cls) if isinstance(a, Definition)]
            bases = [a for a in self.names.ancestors(cls) if isinstance(a, External)]
            own = [self._of_external(base.name, None, cls.scope) for base in bases]
            self._memo[key] = join([*own, *(self._of_body(owner, depth + 1) for owner in owners)])
        return self._memo.get(key, UNKNOWN)

    def _of_body(self, cls: Definition, depth: int) -> Content:
        assert isinstance(cls.node, m.Class)
        scopes = self.names.scopes(cls.path)
        inner = [scopes[s.at] for s in cls.node.body if isinstance(s, m.Function) and s.at in scopes]
        built = [self.of_parts(parts_of_block(s.block, on_by_default(s)), s, depth) for s in inner]
        fields = self.of_parts(
            [p for p in parts_of_block(cls.node.body) if isinstance(p.node, m.Call)], cls.scope, depth
        )
        given = [v for values in cls.scope.attributes.values() for v in values if isinstance(v[0], m.Name)]
        handed = [self._handed(expr, scope, depth) for expr, scope in given]
        return join([*built, fields._replace(known=True), *handed])

    def _handed(self, expr: m.Expr, scope: Scope, depth: int) -> Content:
        meaning = self.names.resolve(expr, scope)
        content = self.of_parameter(meaning, depth) if isinstance(meaning, Parameter) else EMPTY
        return content._replace(known=True)

    def of_parts(self, parts: Iterable[Part], scope: Scope, depth: int = 0) -> Content:
        """What the calls among `parts` build."""
        found: list[Content] = []
        for part in parts:
            content = self._of_part(part.node, scope, depth)
            if not part.sure:
                content = content._replace(held=tuple(h._replace(sure=False) for h in content.held))
            if content != EMPTY:
                found.append(content)
        return join(found)

    def _of_part(self, node: m.Node, scope: Scope, depth: int) -> Content:
        if not isinstance(node, m.Call) or depth > _MAX_DEPTH:
            return EMPTY
        for name in self.external_names(node.func, scope):
            content = self._of_external(name, node, scope)
            if content != EMPTY:
                return content
        target = self.names.resolve(node.func, scope)
        if target is None and isinstance(node.func, m.Attr):
            made = self.calls.target(node, scope)
            target = made if isinstance(made, Definition) and isinstance(made.node, m.Function) else None
        return self.of_definition(target, depth + 1) if isinstance(target, Definition) else EMPTY

    def external_names(self, func: m.Expr, scope: Scope) -> Iterator[str]:
        """Full names that `func` may mean outside the project; ``from keras.layers import *`` leaves several."""
        meaning = self.names.resolve(func, scope)
        if isinstance(meaning, External):
            yield meaning.name
        elif meaning is None and isinstance(func, m.Name) and scope.lookup(func.id) is None:
            yield from (f"{star.module}.{func.id}" for star in scope.root().stars if not star.level)

    def _of_external(self, name: str, call: m.Call | None, scope: Scope) -> Content:
        kind = keras.mode_layer(name) or jax.mode_layer(name)
        short = name.rpartition(".")[2]
        if kind is not None:
            idle = kind == "dropout" and call is not None and self._no_rate(call, scope)
            return EMPTY if idle else Content((Held(kind, short, scope.path, call.at if call is not None else 0),))
        return UNKNOWN if keras.opaque(name) else EMPTY

    def _no_rate(self, call: m.Call, scope: Scope) -> bool:
        rate = next((a.value for a in call.args if a.keyword in (None, "rate", "p")), None)
        return rate is not None and self.constants.number(rate, scope) == 0


def _is_none(expr: object) -> bool:
    return isinstance(expr, m.Const) and expr.value is None


__all__ = ["EMPTY", "UNKNOWN", "Content", "Contents", "Held", "either", "join"]
