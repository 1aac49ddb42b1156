"""Walks over facts: children of a record, every record below it, calls, dotted names. Iterative, so depth is no limit."""

from collections.abc import Iterator
from typing import Any, TypeGuard

from bnlint.facts.model import Attr, Call, Class, Expr, Function, Lambda, Name, Node

_SCOPES = (Function, Class, Lambda)


def _is_node(value: object) -> TypeGuard[Node]:
    return hasattr(value, "at")


def children(node: Any) -> list[Node]:
    """Records directly below `node`, in source order; helper records (Arg, Param, Handler …) are looked through."""
    found: list[Node] = []
    stack = list(reversed(node))
    while stack:
        value = stack.pop()
        if not isinstance(value, tuple):
            continue
        if _is_node(value):
            found.append(value)
        else:
            stack.extend(reversed(value))
    return found


def walk(root: Any, *, into_scopes: bool = True) -> Iterator[Node]:
    """Yield every record below `root` (a record or a block), in source order, `root` first if it is a record.

    With ``into_scopes=False`` nested functions, classes and lambdas are yielded but not entered.
    """
    stack: list[Node] = [root] if _is_node(root) else list(reversed(children(root)))
    first = _is_node(root)
    while stack:
        node = stack.pop()
        yield node
        if into_scopes or first or not isinstance(node, _SCOPES):
            stack.extend(reversed(children(node)))
        first = False


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
