"""Tests that what a caller says settles: ``if train``, ``mode == "train"``, ``optimizer is None``; and the code they leave."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk


class Spoken(NamedTuple):
    """What a caller says: a literal, or ``object`` for something that is certainly there."""

    kind: Literal["literal", "object"]
    value: Any

    @property
    def truth(self) -> bool:
        """Whether a test of it is true."""
        return self.kind == "object" or bool(self.value)


Known = Mapping[str, Spoken]
Given = tuple[tuple[str, Spoken], ...]  # what a call says to a function, by parameter


def spoken(expr: m.Expr | None, known: Known) -> Spoken | None:
    """What an expression says for sure."""
    if isinstance(expr, m.Const) and (expr.value is None or isinstance(expr.value, bool | str)):
        return Spoken("literal", expr.value)
    if isinstance(expr, m.Name):
        return known.get(expr.id)
    truth = settle(expr, known) if isinstance(expr, m.Op) else None
    return Spoken("literal", truth) if truth is not None else None


def settle(test: m.Expr | None, known: Known) -> bool | None:
    """Whether a test holds; None where that is not known."""
    if isinstance(test, m.Name):
        return known[test.id].truth if test.id in known else None
    if not isinstance(test, m.Op):
        return None
    if test.op == "not":
        inner = settle(test.args[0], known)
        return None if inner is None else not inner
    if test.op in {"and", "or"}:
        ends = test.op == "or"
        found = [settle(arg, known) for arg in test.args]
        return ends if ends in found else None if None in found else not ends
    return _compared(test, known) if len(test.args) == 2 else None


def _compared(test: m.Op, known: Known) -> bool | None:
    left, right = test.args
    one = spoken(left, known)
    if one is None:
        return None
    if test.op in {"in", "not in"} and isinstance(right, m.Seq):
        others = [spoken(item, known) for item in right.items]
        return None if None in others else (one in others) is (test.op == "in")
    other = spoken(right, known)
    if other is None or test.op not in {"==", "!=", "is", "is not"}:
        return None
    if "object" in {one.kind, other.kind}:
        return test.op in {"!=", "is not"} if None in {one.value, other.value} else None
    return (one == other) is (test.op in {"==", "is"})


def pruned(block: m.Block, known: Known) -> tuple[m.Block, dict[str, Spoken]]:
    """The statements that are left once the tests that `known` settles are decided, and what is known after them."""
    kept: list[m.Stmt] = []
    now = dict(known)
    for statement in block:
        if isinstance(statement, m.Assign):
            _learn(statement, now)
        elif not isinstance(statement, m.If) or settle(statement.test, now) is None:
            for name in _assigned(statement):
                now.pop(name, None)
        if isinstance(statement, m.If) and (truth := settle(statement.test, now)) is not None:
            live, now = pruned(statement.body if truth else statement.orelse, now)
            kept.extend(live)
        else:
            kept.append(_inside(statement, now))
    return tuple(kept), now


def _learn(statement: m.Assign, now: dict[str, Spoken]) -> None:
    """``training = optimizer is not None`` is known; anything else that is assigned is forgotten."""
    said = spoken(statement.value, now) if isinstance(statement.value, m.Op) and len(statement.targets) == 1 else None
    for target in statement.targets:
        if isinstance(target, m.Name):
            now.pop(target.id, None)
            if said is not None and statement.op == "=":
                now[target.id] = said


def _assigned(statement: m.Stmt) -> set[str]:
    """Names that some way through a statement gives another value."""
    found: set[str] = set()
    for node in walk(statement, into_scopes=False):
        targets = node.targets if isinstance(node, m.Assign) else (node.target,) if isinstance(node, m.For) else ()
        found |= {part.id for part in walk(targets) if isinstance(part, m.Name)}
    return found


def _inside(statement: m.Stmt, known: Known) -> m.Stmt:
    if isinstance(statement, m.If | m.For | m.While):
        return statement._replace(body=pruned(statement.body, known)[0], orelse=pruned(statement.orelse, known)[0])
    if isinstance(statement, m.With):
        return statement._replace(body=pruned(statement.body, known)[0])
    if isinstance(statement, m.Try):
        handlers = tuple(handler._replace(body=pruned(handler.body, known)[0]) for handler in statement.handlers)
        body, orelse, final = (pruned(b, known)[0] for b in (statement.body, statement.orelse, statement.final))
        return statement._replace(body=body, handlers=handlers, orelse=orelse, final=final)
    return statement
