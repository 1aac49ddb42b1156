"""Walks over facts: children of a record, every record below it, calls, dotted names. Iterative, so depth is no limit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from bnlint.facts import model as m
from bnlint.facts.model import Attr, Call, Class, Expr, Function, Lambda, Name, Node

_SCOPES = (Function, Class, Lambda)

_Below: TypeAlias = Sequence[Node]


def _none(_node: Any) -> _Below:
    return ()


def _given(some: Iterable[Any]) -> list[Any]:
    return [one for one in some if one is not None]


def _params(params: Iterable[m.Param]) -> list[Any]:
    return [part for p in params for part in (p.annotation, p.default) if part is not None]


# The records right below each kind, in source order. Walks are a good part of a run, so each kind has its own way, by
# index: looking at every field of every record took a quarter of all the time.
_BELOW: Final[dict[type, Callable[[Any], _Below]]] = {
    m.Name: _none,
    m.Const: _none,
    m.Attr: lambda n: n[1:2],
    m.Call: lambda n: (n[1], *[arg[0] for arg in n[2]]),
    m.Seq: lambda n: n[2],
    m.Dict: lambda n: [part for pair in n[1] for part in pair if part is not None],
    m.Item: lambda n: (n[1], *n[2]),
    m.Op: lambda n: n[2],
    m.Choice: lambda n: (n.then, n.test, n.other),
    m.Lambda: lambda n: (*_params(n.params), n.body),
    m.Comp: lambda n: (*n.items, *[part for loop in n.loops for part in (loop.target, loop.iter, *loop.tests)]),
    m.Walrus: lambda n: n[1:],
    m.Star: lambda n: n[1:],
    m.Assign: lambda n: (*n[1], *_given((n.annotation, n.value))),
    m.Do: lambda n: n[1:],
    m.Return: lambda n: n[1:] if n[1] is not None else (),
    m.Raise: lambda n: _given(n[1:]),
    m.Delete: lambda n: n[1],
    m.Assert: lambda n: _given(n[1:]),
    m.Jump: _none,
    m.Outer: _none,
    m.Import: _none,
    m.From: _none,
    m.If: lambda n: (n[1], *n[2], *n[3]),
    m.For: lambda n: (n[1], n[2], *n[3], *n[4]),
    m.While: lambda n: (n[1], *n[2], *n[3]),
    m.With: lambda n: (*_given(part for item in n.items for part in item), *n.body),
    m.Try: lambda n: (*n.body, *_given(p for h in n.handlers for p in (h.type, *h.body)), *n.orelse, *n.final),
    m.Match: lambda n: (n.subject, *_given(part for case in n.cases for part in (case.guard, *case.body))),
    m.Function: lambda n: (*n.decorators, *_params(n.params), *n.body),
    m.Class: lambda n: (*n.decorators, *[base.value for base in n.bases], *n.body),
}
_HELPERS: Final[dict[type, Callable[[Any], Iterable[Any]]]] = {
    m.Arg: lambda n: (n.value,),
    m.Param: lambda n: (n.annotation, n.default),
    m.CompFor: lambda n: (n.target, n.iter, n.tests),
    m.WithItem: lambda n: n,
    m.Handler: lambda n: (n.type, n.body),
    m.Case: lambda n: (n.guard, n.body),
}


def _gathered(value: Any) -> Iterator[Node]:
    """The first records in what is no record itself: a block, a tuple of parts, a helper."""
    kind = type(value)
    if kind in _BELOW:
        yield value
    elif kind is tuple:
        for item in value:
            yield from _gathered(item)
    elif kind in _HELPERS:
        for part in _HELPERS[kind](value):
            yield from _gathered(part)


def children(node: Any) -> _Below:
    """Records directly below `node`, in source order; helper records (Arg, Param, Handler …) are looked through."""
    below = _BELOW.get(type(node))
    return below(node) if below is not None else list(_gathered(node))


def walk(root: Any, *, into_scopes: bool = True) -> Iterator[Node]:
    """Yield every record below `root` (a record or a block), in source order, `root` first if it is a record.

    With ``into_scopes=False`` nested functions, classes and lambdas are yielded but not entered.
    """
    rooted = type(root) in _BELOW
    stack: list[Node] = [root] if rooted else list(reversed(children(root)))
    while stack:
        node = stack.pop()
        yield node
        if into_scopes or rooted or not isinstance(node, _SCOPES):
            stack += _BELOW[type(node)](node)[::-1]
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
