"""Flags of the mode on their way through functions: who was told it and does not tell the block it calls."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.frameworks.jax import TRAIN_FLAGS
from bnlint.project.calls import Calls, argument, is_method, own_nodes
from bnlint.project.names import Definition, Value
from bnlint.project.norms import Norms
from bnlint.project.scopes import Scope

# Frameworks in which a flag that is not passed on is lost. Keras has its own ways; TensorFlow 1 has BN201.
_EXPLICIT = frozenset({"flax", "haiku"})


class NotForwarded(NamedTuple):
    """A call that leaves `parameter` of `callee` to its `default` although the caller has `flag`."""

    call: m.Call
    flag: str
    callee: Definition
    name: str
    parameter: str
    default: bool


class Forwarding:
    """Calls that do not pass the mode on, file by file."""

    def __init__(self, calls: Calls, norms: Norms) -> None:
        self.calls = calls
        self.names = calls.names
        self.norms = norms
        self._uses: dict[tuple[str, int], set[str]] = {}

    def missing_in(self, path: str) -> Iterator[NotForwarded]:
        """Such calls of one file."""
        for scope in self.names.scopes(path).values():
            flag = _flag(scope)
            if flag is None:
                continue
            for node in own_nodes(scope):
                if isinstance(node, m.Call):
                    yield from self._missing(node, flag.name, scope)

    def _missing(self, call: m.Call, flag: str, scope: Scope) -> Iterator[NotForwarded]:
        callee = self._callee(call, scope)
        if callee is None or not isinstance(callee.node, m.Function) or callee.node.body is scope.block:
            return
        params = callee.node.params[1:] if is_method(callee) else callee.node.params
        own = next((p for p in params if p.name in TRAIN_FLAGS), None)
        if own is None or not isinstance(own.default, m.Const) or not isinstance(own.default.value, bool):
            return
        given = argument(call, params, own.name)
        if given is None or given[1] or own.name not in self._told(callee):
            return
        cls = self.names.class_of(callee.scope)
        name = cls.node.name if cls is not None else callee.node.name
        yield NotForwarded(call, flag, callee, name, own.name, own.default.value)

    def _callee(self, call: m.Call, scope: Scope) -> Definition | None:
        target = self.calls.target(call, scope)
        if isinstance(target, Definition) and isinstance(target.node, m.Class):
            return None  # makes the block, does not call it
        return target if isinstance(target, Definition) else None

    def _told(self, function: Definition) -> set[str]:
        """Names of flags that reach a batch norm inside a function."""
        if function.key not in self._uses:
            found: set[str] = set()
            for node in own_nodes(function.scope):
                if isinstance(node, m.Call) and self._is_norm(node.func, function.scope):
                    found.update(n.id for arg in node.args for n in _names(arg.value))
            self._uses[function.key] = found
        return self._uses[function.key]

    def _is_norm(self, func: m.Expr, scope: Scope) -> bool:
        """Whether `func` is a batch norm's class, or a layer that was made of one."""
        meaning = self.names.resolve(func, scope)
        if isinstance(meaning, Value):
            func, scope = meaning.expr, meaning.scope
        made = func.func if isinstance(func, m.Call) else func
        norm = self.norms.named(made, scope) or self.norms.named(func, scope)
        return norm is not None and norm[0].like in _EXPLICIT


def _names(expr: m.Expr) -> list[m.Name]:
    if isinstance(expr, m.Op) and expr.op == "not":
        expr = expr.args[0]
    return [expr] if isinstance(expr, m.Name) else []


def _flag(scope: Scope) -> m.Param | None:
    if not isinstance(scope.node, m.Function):
        return None
    return next((p for p in scope.node.params if p.name in TRAIN_FLAGS), None)
