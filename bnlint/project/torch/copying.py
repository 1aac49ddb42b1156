"""Averages of weights that are never given fresh statistics, and checkpoints without them."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.facts.walk import dotted, walk
from bnlint.frameworks import torch as table
from bnlint.project.calls import own_nodes
from bnlint.project.scopes import Scope
from bnlint.project.torch.parameter_copies import ParameterCopies

_PARAMETERS = ("parameters", "named_parameters")


class Copying(ParameterCopies):
    """Searches for copies, averages and savings of parameters only."""

    # --- averaging over a run ---

    def averages(self, file: m.FileFacts) -> Iterator[tuple[m.Call, Scope]]:
        """``AveragedModel(net)`` with plain averaging, whose statistics nobody computes anew."""
        for scope in self.names.scopes(file.path).values():
            if isinstance(scope.node, m.Class):
                continue
            for node in own_nodes(scope):
                if (
                    isinstance(node, m.Call)
                    and self.names.qualified(node.func, scope) in table.AVERAGED
                    and _is_plain(node)
                ):
                    yield node, scope

    def anywhere(self, path: str, words: frozenset[str]) -> bool:
        """Whether any file of the program that `path` belongs to names one of these."""
        for file in self.programs.files(path):
            for node in walk(file.body):
                name = (
                    node.name
                    if isinstance(node, m.Attr | m.Alias | m.Function)
                    else node.id
                    if isinstance(node, m.Name)
                    else ""
                )
                if name in words:
                    return True
                if isinstance(node, m.From) and any(alias.name in words for alias in node.names):
                    return True
        return False

    # --- checkpoints ---

    def saved_without_buffers(self, file: m.FileFacts) -> Iterator[m.Call]:
        """``torch.save`` of the parameters only."""
        for scope in self.names.scopes(file.path).values():
            for node in own_nodes(scope):
                saves = (
                    isinstance(node, m.Call) and node.args and self.names.qualified(node.func, scope) == "torch.save"
                )
                if saves and isinstance(node, m.Call) and _holds_parameters(node.args[0].value):
                    yield node


def _is_plain(call: m.Call) -> bool:
    """No exponential average (its buffers follow the newest model) and no averaged buffers."""
    for arg in call.args[1:]:
        if arg.keyword in {"avg_fn", "multi_avg_fn"} or arg.star:
            return False
        if arg.keyword == "use_buffers" and not (isinstance(arg.value, m.Const) and arg.value.value is False):
            return False
    return len([a for a in call.args if a.keyword is None]) < 3


def _holds_parameters(expr: m.Expr) -> bool:
    """``net.parameters()``, ``list(net.parameters())``, ``dict(net.named_parameters())``, a comprehension over them all."""
    if isinstance(expr, m.Comp):
        return len(expr.loops) == 1 and not expr.loops[0].tests and _holds_parameters(expr.loops[0].iter)
    if not isinstance(expr, m.Call):
        return False
    if isinstance(expr.func, m.Attr):
        return expr.func.name in _PARAMETERS and not expr.args
    return (
        dotted(expr.func) in {"list", "dict", "tuple"} and len(expr.args) == 1 and _holds_parameters(expr.args[0].value)
    )


def parameters_of(expr: m.Expr) -> str | None:
    """The network whose parameters are collected, as it is written there."""
    found = {
        dotted(node.func.value)
        for node in walk(expr)
        if isinstance(node, m.Call) and isinstance(node.func, m.Attr) and node.func.name in _PARAMETERS
    }
    return found.pop() if len(found) == 1 else None
