"""Scopes of a file and what each binds: the ground of every name lookup."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from bnlint.facts import model as m
from bnlint.facts.walk import children


class Binding(NamedTuple):
    """One place where a name gets its meaning.

    `kind` tells what `node` is: ``import`` an :class:`Imported`; ``function`` / ``class`` the definition; ``param`` the
    Param; ``value`` the expression assigned; ``opaque`` None (loop variables, unpacking, ``with … as``, augmented).
    """

    kind: Literal["import", "function", "class", "param", "value", "opaque"]
    node: Any
    at: int


class Imported(NamedTuple):
    """What an import binds: attribute `name` of `module` (relative by `level`), or the module itself when None."""

    module: str
    level: int
    name: str | None


_Record = TypeVar("_Record", bound=m.Node)
_EVERYWHERE = frozenset({m.Name, m.Attr, m.Const})  # most of the records: a second list of them would only cost memory
Owner = m.Function | m.Class | m.Lambda | None


@dataclass(slots=True, eq=False)
class Scope:
    """A module (`node` None), function, class or lambda with its bindings.

    `outer` are names declared global, `stars` the modules of ``import *``, `attributes` what the methods of a class
    assign to ``self``, and `own` the records evaluated in this scope itself, in source order: nested definitions stand
    there only with their decorators, bases and defaults. `kinds` has the same records by kind.
    """

    path: str
    node: Owner
    parent: "Scope | None"
    names: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[Imported] = field(default_factory=list)
    outer: set[str] = field(default_factory=set)
    attributes: dict[str, list[tuple[m.Expr, "Scope"]]] = field(default_factory=dict)
    own: list[m.Node] = field(default_factory=list)
    kinds: dict[type, list[Any]] = field(default_factory=dict)

    def of(self, kind: type[_Record]) -> list[_Record]:
        """Records of one kind among `own`: most analyses ask for a few of them. Of names and attributes ask `own`."""
        return self.kinds.get(kind, [])

    @property
    def qualname(self) -> str:
        """Dotted name inside the module, empty for the module itself."""
        if self.parent is None:
            return ""
        own = "<lambda>" if isinstance(self.node, m.Lambda) else getattr(self.node, "name", "")
        return f"{self.parent.qualname}.{own}" if self.parent.qualname else own

    @property
    def block(self) -> m.Block:
        """Statements of a function or class; a lambda has none (see its `body`)."""
        return self.node.body if isinstance(self.node, m.Function | m.Class) else ()

    def enclosing_class(self) -> "Scope | None":
        """The class whose method (or nested function of a method) this is."""
        scope: Scope | None = self
        while scope is not None and not isinstance(scope.node, m.Class):
            scope = scope.parent
        return scope

    def lookup(self, name: str) -> "tuple[Scope, list[Binding]] | None":
        """The nearest scope that binds `name`, by Python's rules (class bodies are not seen from their methods)."""
        scope: Scope | None = self
        start = True
        while scope is not None:
            visible = start or not isinstance(scope.node, m.Class)
            if visible and name in scope.names and name not in scope.outer:
                return scope, scope.names[name]
            scope, start = scope.parent, False
        return None

    def root(self) -> "Scope":
        """The module's scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


def scopes_of(file: m.FileFacts) -> dict[int | None, Scope]:
    """All scopes of a file by the number of their definition; the module's key is None."""
    root = Scope(file.path, None, None)
    found: dict[int | None, Scope] = {None: root}
    stack: list[tuple[Scope, Iterable[Any]]] = [(root, file.body)]
    while stack:
        scope, nodes = stack.pop()
        for inner in _fill(scope, nodes):
            assert inner.node is not None
            found[inner.node.at] = inner
            below: Iterable[Any] = (inner.node.body,) if isinstance(inner.node, m.Lambda) else inner.node.body
            stack.append((inner, below))
    return found


def _fill(scope: Scope, nodes: Iterable[Any]) -> Iterator[Scope]:
    """Record what `nodes` bind in `scope`; yield the scopes that begin there."""
    stack = list(reversed(list(nodes)))
    while stack:
        node = stack.pop()
        scope.own.append(node)
        if type(node) not in _EVERYWHERE:
            scope.kinds.setdefault(type(node), []).append(node)
        if isinstance(node, m.Function | m.Class | m.Lambda):
            yield _open(scope, node)
            stack.extend(reversed(children(_outside(node))))
            continue
        _BINDERS.get(type(node), _nothing)(scope, node)
        stack.extend(reversed(children(node)))


def _open(scope: Scope, node: m.Function | m.Class | m.Lambda) -> Scope:
    inner = Scope(scope.path, node, scope)
    if isinstance(node, m.Class):
        _bind(scope, node.name, Binding("class", node, node.at))
        return inner
    if isinstance(node, m.Function):
        _bind(scope, node.name, Binding("function", node, node.at))
    for param in node.params:
        _bind(inner, param.name, Binding("param", param, node.at))
    return inner


def _outside(node: m.Function | m.Class | m.Lambda) -> tuple[Any, ...]:
    """The parts of a definition that belong to the scope around it."""
    if isinstance(node, m.Class):
        return node.decorators, node.bases
    return (node.decorators, node.params) if isinstance(node, m.Function) else (node.params,)


def _bind(scope: Scope, name: str, binding: Binding) -> None:
    home = scope
    if name in scope.outer:
        home = scope.root()
    home.names.setdefault(name, []).append(binding)


def _nothing(_scope: Scope, _node: Any) -> None:
    return


def _import(scope: Scope, node: m.Import) -> None:
    for alias in node.names:
        name = alias.asname or alias.name.split(".")[0]
        module = alias.name if alias.asname else alias.name.split(".")[0]
        _bind(scope, name, Binding("import", Imported(module, 0, None), node.at))


def _from(scope: Scope, node: m.From) -> None:
    for alias in node.names:
        if alias.name == "*":
            scope.stars.append(Imported(node.module, node.level, None))
        else:
            _bind(
                scope,
                alias.asname or alias.name,
                Binding("import", Imported(node.module, node.level, alias.name), node.at),
            )


def _assign(scope: Scope, node: m.Assign) -> None:
    for target in node.targets:
        _target(scope, target, node.value if node.op == "=" else None, node.at)


def _target(scope: Scope, target: m.Expr, value: m.Expr | None, at: int) -> None:
    if isinstance(target, m.Name):
        _bind(scope, target.id, Binding("opaque" if value is None else "value", value, at))
    elif isinstance(target, m.Seq):
        parts: tuple[m.Expr | None, ...] = (None,) * len(target.items)
        if isinstance(value, m.Seq) and len(value.items) == len(target.items):
            parts = value.items
        for item, part in zip(target.items, parts, strict=True):
            _target(scope, item, part, at)
    elif isinstance(target, m.Star):
        _target(scope, target.value, None, at)
    elif isinstance(target, m.Attr) and isinstance(target.value, m.Name) and value is not None:
        owner = _owner_of_self(scope, target.value.id)
        if owner is not None:
            owner.attributes.setdefault(target.name, []).append((value, scope))


def _owner_of_self(scope: Scope, name: str) -> Scope | None:
    """The class scope if `name` is the first parameter of a method around `scope`."""
    method: Scope | None = scope
    while method is not None:
        parent = method.parent
        if isinstance(method.node, m.Function) and parent is not None and isinstance(parent.node, m.Class):
            params = method.node.params
            return parent if params and params[0].name == name else None
        method = parent
    return None


def _for(scope: Scope, node: m.For) -> None:
    _target(scope, node.target, None, node.at)


def _with(scope: Scope, node: m.With) -> None:
    for item in node.items:
        if item.target is not None:
            _target(scope, item.target, item.context if isinstance(item.target, m.Name) else None, node.at)


def _try(scope: Scope, node: m.Try) -> None:
    for handler in node.handlers:
        if handler.name is not None:
            _bind(scope, handler.name, Binding("opaque", None, node.at))


def _match(scope: Scope, node: m.Match) -> None:
    for case in node.cases:
        for name in case.names:
            _bind(scope, name, Binding("opaque", None, node.at))


def _outer(scope: Scope, node: m.Outer) -> None:
    if node.kind == "global":
        scope.outer.update(node.names)


def _walrus(scope: Scope, node: m.Walrus) -> None:
    _target(scope, node.target, node.value, node.at)


_BINDERS: dict[type, Any] = {
    m.Import: _import,
    m.From: _from,
    m.Assign: _assign,
    m.For: _for,
    m.With: _with,
    m.Try: _try,
    m.Match: _match,
    m.Outer: _outer,
    m.Walrus: _walrus,
}
