"""Overrides of ``Module.train``: what they forget."""

from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.names import Definition, Names


class Broken(NamedTuple):
    """What an override of ``train`` forgets, in the order of harm."""

    function: m.Function
    missing: tuple[str, ...]


_PASSES_ON = ("children", "modules", "named_children", "named_modules", "apply")


def broken_train(cls: Definition) -> Broken | None:
    """The class's own ``train`` if it replaces the mode switch and forgets a part of it."""
    binding = next((b for b in cls.scope.names.get("train", ()) if b.kind == "function"), None)
    if binding is None:
        return None
    function: m.Function = binding.node
    if function.decorators or not function.params or not _switches_mode(function):
        return None
    missing: list[str] = []
    named = [p for p in function.params[1:] if p.kind in ("plain", "positional", "*")]
    if not named:
        missing.append("mode")
    if not _calls_super(function) and not _sets_mode_itself(function):
        missing.append("super")
    if not any(isinstance(n, m.Return) and n.value is not None for n in walk(function, into_scopes=False)):
        missing.append("return self")
    return Broken(function, tuple(missing)) if missing else None


def _switches_mode(function: m.Function) -> bool:
    """An override of the mode switch has the shape ``train(self, mode=True)``; one with other words trains a model."""
    rest = function.params[1:]
    plain = [p for p in rest if p.kind in ("plain", "positional")]
    if len(plain) > 1 and any(p.default is None for p in plain[1:]):
        return False
    if plain and plain[0].name not in {"mode", "is_train", "training", "train", "flag", "is_training", "m"}:
        return False
    mode_calls = any(
        isinstance(n, m.Attr) and n.name in {"train", "eval", "training"}
        for n in walk(function.body, into_scopes=False)
    )
    return bool(plain) or (mode_calls and not _trains(function))


def _trains(function: m.Function) -> bool:
    return any(isinstance(n, m.Attr) and n.name in {"backward", "step", "zero_grad"} for n in walk(function.body))


def _calls_super(function: m.Function) -> bool:
    """``super().train(mode)``, ``Base.train(self, mode)``."""
    return bool(super_calls(function))


def super_calls(function: m.Function) -> list[m.Call]:
    """Calls of the base's ``train``."""
    return [
        n
        for n in walk(function.body)
        if isinstance(n, m.Call) and isinstance(n.func, m.Attr) and n.func.name == "train" and _is_super(n)
    ]


def _is_super(call: m.Call) -> bool:
    assert isinstance(call.func, m.Attr)
    value = call.func.value
    if isinstance(value, m.Call) and isinstance(value.func, m.Name) and value.func.id == "super":
        return True
    return bool(call.args) and isinstance(call.args[0].value, m.Name) and call.args[0].value.id in {"self", "m"}


def _sets_mode_itself(function: m.Function) -> bool:
    """A body that walks its modules, or sets ``self.training`` and the parts it has, stands for super."""
    for node in walk(function.body):
        if isinstance(node, m.Call) and isinstance(node.func, m.Attr) and node.func.name in _PASSES_ON:
            return True
        if isinstance(node, m.Assign) and any(isinstance(t, m.Attr) and t.name == "training" for t in node.targets):
            return True
    return False


def overrides_train(names: Names, cls: Definition) -> Definition | None:
    """The ``train`` that a class of the project (or a base of it) defines."""
    return names.method(cls, "train")
