"""What a value was made of: the statements before it, read backwards."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import children
from bnlint.project.names import Names
from bnlint.project.scopes import Scope

# Methods that put something into the object they are called on.
_ADDERS = frozenset({"add", "append", "extend", "insert", "add_module", "update"})


class Step(NamedTuple):
    """A simple statement; `sure` is False under a condition, a loop or an exception, where it may not happen."""

    node: m.Assign | m.Do | m.For | m.With | m.Return
    sure: bool


class Part(NamedTuple):
    """A record that a value was made with."""

    node: m.Node
    sure: bool


def on_by_default(scope: Scope) -> frozenset[str]:
    """Parameters that are True unless a caller says otherwise: what they switch on is usually there."""
    params = scope.node.params if isinstance(scope.node, m.Function | m.Lambda) else ()
    return frozenset(p.name for p in params if isinstance(p.default, m.Const) and p.default.value is True)


def _is_on(test: m.Expr, on: frozenset[str]) -> bool:
    if isinstance(test, m.Op) and test.op in ("==", "is"):
        test = test.args[0] if isinstance(test.args[1], m.Const) and test.args[1].value is True else test
    return isinstance(test, m.Name) and test.id in on


def steps(block: m.Block, on: frozenset[str] = frozenset()) -> list[Step]:
    """The simple statements of a block in source order, with those inside compound ones; `on` are flags taken as True."""
    found: list[Step] = []
    stack: list[tuple[m.Stmt, bool]] = [(s, True) for s in reversed(block)]
    while stack:
        node, sure = stack.pop()
        if isinstance(node, m.Assign | m.Do | m.For | m.With | m.Return):
            found.append(Step(node, sure))
        inner = sure and isinstance(node, m.With)
        if isinstance(node, m.If) and sure and _is_on(node.test, on):
            stack.extend((s, False) for s in reversed(node.orelse))
            stack.extend((s, True) for s in reversed(node.body))
        else:
            stack.extend((s, inner) for s in reversed(_below(node)))
    return found


def _below(node: m.Stmt) -> list[m.Stmt]:
    if isinstance(node, m.If | m.While | m.For):
        return [*node.body, *node.orelse]
    if isinstance(node, m.With):
        return list(node.body)
    if isinstance(node, m.Try):
        return [*node.body, *(s for h in node.handlers for s in h.body), *node.orelse, *node.final]
    return [s for case in node.cases for s in case.body] if isinstance(node, m.Match) else []


def block_of(scope: Scope, names: Names) -> m.Block:
    """The statements of a scope."""
    return scope.block if scope.node is not None else names.files[scope.path].body


def bound_names(target: m.Expr) -> set[str]:
    """Names that an assignment to `target` binds."""
    if isinstance(target, m.Name):
        return {target.id}
    if isinstance(target, m.Seq):
        return {name for item in target.items for name in bound_names(item)}
    return bound_names(target.value) if isinstance(target, m.Star) else set()


def _untold(expr: m.Expr) -> Iterator[m.Node]:
    """All records of `expr` but layers that are called with ``training=True`` there: no caller has to tell them again."""
    stack: list[m.Node] = [expr]
    while stack:
        node = stack.pop()
        yield node
        inner = children(node)
        if isinstance(node, m.Call) and any(_is_told(arg) for arg in node.args):
            inner = [child for child in inner if child is not node.func]
        stack.extend(reversed(inner))


def _is_told(arg: m.Arg) -> bool:
    return arg.keyword == "training" and isinstance(arg.value, m.Const) and arg.value.value is True


def _read(parts: Iterable[m.Node]) -> set[str]:
    return {part.id for part in parts if isinstance(part, m.Name)}


def _root(expr: m.Expr) -> str | None:
    while isinstance(expr, m.Attr | m.Item):
        expr = expr.value
    return expr.id if isinstance(expr, m.Name) else None


def made_of(expr: m.Expr, flow: list[Step], before: float) -> tuple[list[Part], set[str]]:
    """The records that `expr` was made with, from itself and the steps before it, and the names that stay open."""
    parts = [Part(node, True) for node in _untold(expr)]
    needed = _read(part.node for part in parts)
    for step in reversed(flow):
        if step.node.at >= before:
            continue
        for value, killed in _contributions(step, needed):
            more = [Part(node, step.sure) for node in _untold(value)]
            needed -= killed
            needed |= _read(part.node for part in more)
            parts.extend(more)
    return parts, needed


def _contributions(step: Step, needed: set[str]) -> Iterator[tuple[m.Expr, set[str]]]:
    node = step.node
    if isinstance(node, m.Assign) and node.value is not None:
        bound = {name for target in node.targets for name in bound_names(target)}
        stored = {_root(t) for t in node.targets if isinstance(t, m.Attr | m.Item)}
        if bound & needed:
            yield node.value, bound if step.sure and node.op == "=" else set()
        elif stored & needed:
            yield node.value, set()
    elif isinstance(node, m.For) and bound_names(node.target) & needed:
        yield node.iter, set()
    elif isinstance(node, m.Do) and isinstance(node.value, m.Call) and isinstance(node.value.func, m.Attr):
        func = node.value.func
        if func.name in _ADDERS and _root(func.value) in needed:
            for arg in node.value.args:
                yield arg.value, set()


def parts_of_block(block: m.Block, on: frozenset[str] = frozenset()) -> list[Part]:
    """Every record of a block and of the functions in it; `sure` as for steps."""
    found: list[Part] = []
    stack: list[tuple[m.Node, bool]] = [(s, True) for s in reversed(block)]
    while stack:
        node, sure = stack.pop()
        found.append(Part(node, sure))
        if isinstance(node, m.If):
            stack.extend((n, False) for n in reversed(node.orelse))
            stack.extend((n, sure and _is_on(node.test, on)) for n in reversed(node.body))
            stack.append((node.test, sure))
        elif isinstance(node, m.Choice):
            stack.extend(((node.other, False), (node.then, False), (node.test, sure)))
        else:
            stack.extend((n, sure) for n in reversed(children(node)))
    return found
