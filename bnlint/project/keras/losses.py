"""Training calls of Keras models without a tape: ``stateless_call`` under ``jax.grad``, and ``loss.backward()``."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import calls, walk
from bnlint.project.calls import Calls, own_nodes
from bnlint.project.jax.differentiated import Differentiated
from bnlint.project.scopes import Scope


class LossCall(NamedTuple):
    """A call of `model` whose loss is differentiated; `skip` arguments belong to ``stateless_call`` itself."""

    call: m.Call
    scope: Scope
    model: m.Expr
    kind: Literal["stateless_call", "backward"]
    skip: int


class Losses:
    """Training calls, by the file in which they stand."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.differentiated = Differentiated(calls)

    def calls_in(self, path: str) -> Iterator[LossCall]:
        """Training calls in one file."""
        for scope in self.calls.names.scopes(path).values():
            nodes = list(own_nodes(scope))
            yield from self._stateless(nodes, scope)
            if any(isinstance(node, m.Call) and _is_backward(node) for node in nodes):
                yield from self._before_backward(nodes, scope)

    def _stateless(self, nodes: list[m.Node], scope: Scope) -> Iterator[LossCall]:
        for node in nodes:
            if not isinstance(node, m.Call) or not isinstance(node.func, m.Attr) or node.func.name != "stateless_call":
                continue
            if self.differentiated.trains(scope):
                yield LossCall(node, scope, node.func.value, "stateless_call", 2)

    def _before_backward(self, nodes: list[m.Node], scope: Scope) -> Iterator[LossCall]:
        without: set[int] = set()
        for node in nodes:
            if isinstance(node, m.With) and _no_grad(node):
                without.update(call.at for call in calls(node.body))
        last = max(node.at for node in nodes if isinstance(node, m.Call) and _is_backward(node))
        for node in nodes:
            if isinstance(node, m.Call) and node.at < last and node.at not in without and node.args:
                yield LossCall(node, scope, node.func, "backward", 0)


def _is_backward(call: m.Call) -> bool:
    return isinstance(call.func, m.Attr) and call.func.name == "backward"


def _no_grad(node: m.With) -> bool:
    words = {part.name for item in node.items for part in walk(item.context) if isinstance(part, m.Attr)}
    return bool(words & {"no_grad", "inference_mode"})
