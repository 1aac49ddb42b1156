"""Averages and copies of weights: which leave the buffers behind, which are never given fresh statistics."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import dotted, walk
from bnlint.frameworks import torch as table
from bnlint.project.calls import own_nodes
from bnlint.project.names import Names
from bnlint.project.scopes import Scope
from bnlint.project.torch.programs import Programs
from bnlint.project.torch.words import Vocabulary

_PARAMETERS = ("parameters", "named_parameters")
_BUFFERS = frozenset({"buffers", "named_buffers", "state_dict", "load_state_dict", "_buffers"})


class Copy(NamedTuple):
    """A loop that writes the parameters of one network into another; `target` is the dotted name of the one written."""

    loop: m.For
    scope: Scope
    target: m.Expr
    source: m.Expr


class Copying:
    """Searches for copies, averages and savings of parameters only."""

    def __init__(self, names: Names, programs: Programs, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.names = names
        self.programs = programs

    # --- loops over two networks' parameters ---

    def without_buffers(self, file: m.FileFacts) -> Iterator[Copy]:
        """Copies whose function, and class, never touch the buffers."""
        for scope in self.names.scopes(file.path).values():
            if isinstance(scope.node, m.Class | m.Lambda):
                continue
            for node in own_nodes(scope):
                copy = self._copy(node, scope) if isinstance(node, m.For) else None
                if copy is not None and not self._touches_buffers(scope, file):
                    yield copy

    def _copy(self, node: m.For, scope: Scope) -> Copy | None:
        if not (isinstance(node.iter, m.Call) and dotted(node.iter.func) == "zip" and len(node.iter.args) == 2):
            return None
        first, second = (self._network(arg.value) for arg in node.iter.args)
        if first is None or second is None or not isinstance(node.target, m.Seq) or len(node.target.items) != 2:
            return None
        names = [_last_name(item) for item in node.target.items]
        written = [_writes_to(node.body, name) for name in names if name]
        if written == [True, False]:
            return Copy(node, scope, first, second)
        return Copy(node, scope, second, first) if written == [False, True] else None

    @staticmethod
    def _network(expr: m.Expr) -> m.Expr | None:
        if isinstance(expr, m.Call) and isinstance(expr.func, m.Attr) and expr.func.name in _PARAMETERS:
            return expr.func.value
        return None

    def _touches_buffers(self, scope: Scope, file: m.FileFacts) -> bool:
        """The whole class (or function, or module around a function) is asked: a sister method may copy the buffers."""
        owner = scope.enclosing_class() or scope
        root = owner.node.body if isinstance(owner.node, m.Class | m.Function) else file.body
        updates = {"update_bn", "bn_update"}
        for node in walk((root,)):
            name = node.name if isinstance(node, m.Attr) else node.id if isinstance(node, m.Name) else ""
            if name in updates or "running_mean" in name or "batch_norm" in name:
                return True
            if name in _BUFFERS and not _only_saves(node, root):
                return True
            if isinstance(node, m.Const) and isinstance(node.value, str) and "running" in node.value:
                return True
        return self.vocabulary.meant(getattr(owner.node, "name", ""))

    def evaluated(self, copy: Copy) -> m.Node | None:
        """Where the written network is put in eval mode: in its class, or its function's file, under the same name."""
        name = _last(copy.target)
        if name is None:
            return None
        file = self.names.files[copy.scope.path]
        for node in walk(file.body):
            if (
                isinstance(node, m.Call)
                and isinstance(node.func, m.Attr)
                and node.func.name == "eval"
                and _last(node.func.value) == name
            ):
                return node
            if isinstance(node, m.Assign) and any(_last(t) == name for t in node.targets) and node.value is not None:
                for call in walk(node.value):
                    if isinstance(call, m.Call) and isinstance(call.func, m.Attr) and call.func.name == "eval":
                        return call
        return None

    def trained_mode(self, copy: Copy) -> bool:
        """Whether the written network is ever put in training mode, where it keeps statistics of its own."""
        name = _last(copy.target)
        for node in walk(self.names.files[copy.scope.path].body):
            if (
                isinstance(node, m.Call)
                and isinstance(node.func, m.Attr)
                and node.func.name == "train"
                and _last(node.func.value) == name
            ):
                return True
        return False

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


def _only_saves(node: m.Node, root: object) -> bool:
    """A ``state_dict`` method of the class's own, or one that is only saved, copies no buffers between networks."""
    if not isinstance(node, m.Attr) or node.name != "state_dict":
        return False
    for call in walk((root,)):
        if (
            isinstance(call, m.Call)
            and dotted(call.func) == "torch.save"
            and any(inner is node for inner in walk(call))
        ):
            return True
    return False


def _writes_to(block: m.Block, name: str) -> bool:
    """Whether statements change the object `name` in place: ``p.data = …``, ``p.copy_(…)``, ``p.data.mul_(…)``."""
    for node in walk(block):
        if isinstance(node, m.Assign):
            for target in node.targets:
                if isinstance(target, m.Attr) and target.name == "data" and _root(target) == name:
                    return True
        method = node.func if isinstance(node, m.Call) and isinstance(node.func, m.Attr) else None
        if (
            method is not None
            and _root(method) == name
            and method.name.endswith("_")
            and method.name != "requires_grad_"
        ):
            return True
    return False


def _root(expr: m.Expr) -> str | None:
    while isinstance(expr, m.Attr | m.Call):
        expr = expr.value if isinstance(expr, m.Attr) else expr.func
    return expr.id if isinstance(expr, m.Name) else None


def _last_name(item: m.Expr) -> str:
    """The parameter's name in ``p`` or ``(name, p)``."""
    if isinstance(item, m.Seq) and item.items:
        return _last_name(item.items[-1])
    return item.id if isinstance(item, m.Name) else ""


def _last(expr: m.Expr) -> str | None:
    while isinstance(expr, m.Attr) and expr.name == "module":
        expr = expr.value
    return expr.name if isinstance(expr, m.Attr) else expr.id if isinstance(expr, m.Name) else None
