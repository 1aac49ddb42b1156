"""Lightning before 2.2: the Trainer calls train() on the whole module before it fits, also on what was put in eval mode."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import calls, dotted, walk
from bnlint.frameworks import torch as table
from bnlint.project.names import Definition, External, Names
from bnlint.project.torch.layers import Layers
from bnlint.project.torch.outside import Holding

_KEEPS = (2, 2)  # from here on a mode that was set by hand stays


class Thawed(NamedTuple):
    """``self.part.eval()`` in the constructor of a LightningModule whose training step runs the part."""

    call: m.Call
    step: m.Function
    part: str
    holding: Holding


def thaws(target: Mapping[str, str]) -> bool:
    """Whether the configuration names a Lightning that puts everything in training mode; nothing said is no."""
    numbers = [int(part) for part in target.get("lightning", "").split(".")[:2] if part.isdigit()]
    return bool(numbers) and tuple([*numbers, 0][:2]) < _KEEPS


def thawed_by_trainer(names: Names, layers: Layers, file: m.FileFacts) -> Iterator[Thawed]:
    """Parts with batch norms that such a Trainer takes out of eval mode again."""
    for scope in names.scopes(file.path).values():
        cls = Definition(scope.node, scope) if isinstance(scope.node, m.Class) else None
        if cls is not None and any(_is_lightning(base) for base in names.ancestors(cls)):
            yield from _in_class(names, layers, cls)


def _is_lightning(base: Definition | External) -> bool:
    return (
        isinstance(base, External)
        and base.name.startswith(table.LIGHTNING)
        and base.name.rsplit(".", 1)[-1] == "LightningModule"
    )


def _in_class(names: Names, layers: Layers, cls: Definition) -> Iterator[Thawed]:
    init, step = names.method(cls, "__init__"), names.method(cls, "training_step")
    if init is None or step is None or init.path != cls.path or names.method(cls, "train") is not None:
        return
    assert isinstance(step.node, m.Function)
    for call in calls(init.node.body):
        part = _put_in_eval(call)
        if not part or not _mentions(step.node, part) or _set_again(cls, init, part):
            continue
        values = names.attribute_values(cls, part)
        holding = layers.of_expression(values[0].expr, values[0].scope) if len(values) == 1 else Holding("maybe")
        if holding.batch_norm:
            yield Thawed(call, step.node, part, holding)


def _put_in_eval(call: m.Call) -> str:
    owner = dotted(call.func.value) if isinstance(call.func, m.Attr) and call.func.name == "eval" else None
    return owner.removeprefix("self.") if owner is not None and owner.startswith("self.") else ""


def _mentions(function: m.Function, part: str) -> bool:
    return any(isinstance(node, m.Attr) and dotted(node) == f"self.{part}" for node in walk(function.body))


def _set_again(cls: Definition, init: Definition, part: str) -> bool:
    """Whether another method of the class (a hook, the step itself) puts the part, or something, in eval mode."""
    others = [s for s in cls.node.body if isinstance(s, m.Function) and s.name != init.node.name]
    return any(_put_in_eval(call) == part or _is_freeze(call) for method in others for call in calls(method.body))


def _is_freeze(call: m.Call) -> bool:
    return isinstance(call.func, m.Attr) and ("freeze" in call.func.name or call.func.name == "eval")
