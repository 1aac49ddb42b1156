"""Walks over facts: children of a record, every record below it, calls, dotted names. Iterative, so depth is no limit."""

from collections.abc import Iterator
from typing import Any, Final

from bnlint.facts import model as m
from bnlint.facts.model import Attr, Call, Class, Expr, Function, Lambda, Name, Node

_SCOPES = (Function, Class, Lambda)

# Which fields hold records: looking at every field of every record took a quarter of a whole run.
_FIELDS: Final[dict[type, tuple[int, ...]]] = {
    kind: tuple(kind._fields.index(name) for name in names.split())  # type: ignore[attr-defined]
    for kind, names in {
        m.Name: "", m.Const: "", m.Attr: "value", m.Call: "func args", m.Seq: "items", m.Dict: "items",
        m.Item: "value keys", m.Op: "args", m.Choice: "then test other", m.Lambda: "params body",
        m.Comp: "items loops", m.Walrus: "target value", m.Star: "value",
        m.Assign: "targets annotation value", m.Do: "value", m.Return: "value", m.Raise: "value cause",
        m.Delete: "targets", m.Assert: "test message", m.Jump: "", m.Outer: "", m.Import: "", m.From: "",
        m.If: "test body orelse", m.For: "target iter body orelse", m.While: "test body orelse",
        m.With: "items body", m.Try: "body handlers orelse final", m.Match: "subject cases",
        m.Function: "decorators params body", m.Class: "decorators bases body",
    }.items()
}  # fmt: skip
_HELPERS: Final[dict[type, tuple[int, ...]]] = {
    kind: tuple(kind._fields.index(name) for name in names.split())  # type: ignore[attr-defined]
    for kind, names in {
        m.Arg: "value", m.Param: "annotation default", m.CompFor: "target iter tests", m.WithItem: "context target",
        m.Handler: "type body", m.Case: "guard body",
    }.items()
}  # fmt: skip


def _gather(value: Any, found: list[Node]) -> None:
    kind = type(value)
    if kind in _FIELDS:
        found.append(value)
    elif kind is tuple:
        for item in value:
            _gather(item, found)
    elif kind in _HELPERS:
        for index in _HELPERS[kind]:
            _gather(value[index], found)


def children(node: Any) -> list[Node]:
    """Records directly below `node`, in source order; helper records (Arg, Param, Handler …) are looked through."""
    found: list[Node] = []
    for index in _FIELDS.get(type(node), range(len(node))):
        _gather(node[index], found)
    return found


def walk(root: Any, *, into_scopes: bool = True) -> Iterator[Node]:
    """Yield every record below `root` (a record or a block), in source order, `root` first if it is a record.

    With ``into_scopes=False`` nested functions, classes and lambdas are yielded but not entered.
    """
    rooted = type(root) in _FIELDS
    stack: list[Node] = [root] if rooted else list(reversed(children(root)))
    while stack:
        node = stack.pop()
        yield node
        if into_scopes or rooted or not isinstance(node, _SCOPES):
            stack.extend(reversed(children(node)))
        rooted = False


def calls(root: Any, *, into_scopes: bool = True) -> Iterator[Call]:
    """Yield every call below `root`."""
    for node in walk(root, into_scopes=into_scopes):
        if isinstance(node, Call):
            yield node


def dotted(expr: Expr | None) -> str | None:
    """``"a.b.c"`` for a plain chain of attributes on a name, else None."""
    parts: list[str] = []
    while isinstance(expr, Attr):
        parts.append(expr.name)
        expr = expr.value
    if not isinstance(expr, Name):
        return None
    parts.append(expr.id)
    return ".".join(reversed(parts))
