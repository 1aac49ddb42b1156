"""Functions that are told the mode: ``run(net, loader, train=False)`` is looked at anew for what a caller says."""

from collections.abc import Mapping

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.calls import Calls, argument, is_method
from bnlint.project.names import Definition
from bnlint.project.torch.settling import Given, Known, Spoken, spoken
from bnlint.project.torch.words import parts

_MAX_DEPTH = 3
_SWITCHES = frozenset({"train", "eval", "backward", "training"})
_OPTIMIZERS = frozenset({"opt", "optim", "optimizer", "optimiser"})


class Deciding:
    """Which parameters of a function decide what it does to modes, and what a call says to them."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._params: dict[tuple[str, int], frozenset[str]] = {}

    def given(self, call: m.Call, function: Definition, known: Known) -> Given:
        """What a call says to the deciding parameters of `function`; `known` is what its own scope was told."""
        wanted = self.params(function)
        if not wanted:
            return ()
        assert isinstance(function.node, m.Function)
        params = function.node.params[1:] if is_method(function) else function.node.params
        found: list[tuple[str, Spoken]] = []
        for name in sorted(wanted):
            value = argument(call, params, name)
            said = self._said(name, *value, known) if value is not None else None
            if said is not None:
                found.append((name, said))
        return tuple(found)

    @staticmethod
    def _said(name: str, value: m.Expr | None, explicit: bool, known: Known) -> Spoken | None:
        if value is None:
            return None
        said = spoken(value, known if explicit else {})
        if said is None and explicit and parts(name) & _OPTIMIZERS and _is_optimizer(value):
            return Spoken("object", "")
        return said

    def params(self, function: Definition, depth: int = 0) -> frozenset[str]:
        """Parameters that some test before a switch, or some deciding parameter of a called function, depends on."""
        if not isinstance(function.node, m.Function) or depth > _MAX_DEPTH:
            return frozenset()
        if function.key not in self._params:
            self._params[function.key] = frozenset()
            self._params[function.key] = self._look(function, depth)
        return self._params[function.key]

    def _look(self, function: Definition, depth: int) -> frozenset[str]:
        assert isinstance(function.node, m.Function)
        own = {p.name for p in function.node.params[is_method(function) :] if p.kind in {"plain", "positional", "*"}}
        own = {name for name in own if len(function.scope.names.get(name, ())) == 1}
        if not own:
            return frozenset()
        derived = {name: name for name in own}
        found: set[str] = set()
        for node in walk(function.node.body, into_scopes=False):
            if isinstance(node, m.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], m.Name):
                for name in _names(node.value) & own if isinstance(node.value, m.Op) else ():
                    derived[node.targets[0].id] = name
            elif isinstance(node, m.If | m.Choice):
                branches = (node.body, node.orelse) if isinstance(node, m.If) else (node.then, node.other)
                if _switches(branches):
                    found |= {derived[name] for name in _names(node.test) & derived.keys()}
            elif isinstance(node, m.Call):
                found |= self._in_call(node, function, derived, depth)
        return frozenset(found)

    def _in_call(self, call: m.Call, function: Definition, derived: Mapping[str, str], depth: int) -> set[str]:
        last = call.func.name if isinstance(call.func, m.Attr) else ""
        if last in {"train", "set_grad_enabled"}:
            return {derived[name] for arg in call.args for name in _names(arg.value) & derived.keys()}
        passed = [arg for arg in call.args if isinstance(arg.value, m.Name) and arg.value.id in derived]
        if not passed:
            return set()
        target = self.calls.target(call, function.scope)
        if not isinstance(target, Definition) or not isinstance(target.node, m.Function):
            return set()
        wanted = self.params(target, depth + 1)
        params = target.node.params[1:] if is_method(target) else target.node.params
        found = set()
        for name in wanted:
            value = argument(call, params, name)
            if value is not None and isinstance(value[0], m.Name) and value[1] and value[0].id in derived:
                found.add(derived[value[0].id])
        return found


def _switches(branches: object) -> bool:
    return any(isinstance(node, m.Attr) and node.name in _SWITCHES for node in walk(branches))


def _names(expr: m.Expr | None) -> set[str]:
    return {node.id for node in walk(expr) if isinstance(node, m.Name)} if expr is not None else set()


def _is_optimizer(expr: m.Expr) -> bool:
    last = expr.id if isinstance(expr, m.Name) else expr.name if isinstance(expr, m.Attr) else ""
    return bool(parts(last) & _OPTIMIZERS)
