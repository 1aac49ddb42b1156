"""Models that are frozen after they were compiled, as in the classic Keras GAN: what Keras 3 makes of it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import calls, dotted
from bnlint.project.calls import Calls, own_nodes
from bnlint.project.scopes import Scope

_TRAINERS = frozenset({"train_on_batch", "fit", "fit_generator"})


class Toggle(NamedTuple):
    """``model.trainable = False`` after compile, another compile, and training of the same model."""

    freeze: m.Assign
    scope: Scope
    model: str
    training: tuple[m.Call, ...]


class Freezing:
    """Such models, file by file; models are told apart by the last part of their name (``self.discriminator``)."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.names = calls.names

    def toggles_in(self, path: str) -> Iterator[Toggle]:
        """Models of the file that are never unfrozen again, with all calls that train them."""
        scopes = [s for s in self.names.scopes(path).values() if not isinstance(s.node, m.Class)]
        nodes = [(scope, list(own_nodes(scope))) for scope in scopes]
        every = [node for _, own in nodes for node in own]
        if any(_unfreezes(node) for node in every):
            return
        compiled = [c for node in every if (c := _method(node, {"compile"})) is not None]
        trained: dict[str, tuple[m.Call, ...]] = {}
        for node in every:
            if isinstance(node, m.Call) and (name := _method(node, _TRAINERS)) is not None:
                trained[name] = (*trained.get(name, ()), node)
        for scope, own in nodes:
            for freeze in own:
                name = _freezes(freeze)
                if name is None or name not in trained or not isinstance(freeze, m.Assign):
                    continue
                later = [c for node in own if node.at > freeze.at and (c := _method(node, {"compile"})) is not None]
                before = [c for node in own if node.at < freeze.at and (c := _method(node, {"compile"})) is not None]
                elsewhere = len(compiled) > len(later) + len(before)
                if any(other != name for other in later) and (name in before or elsewhere):
                    yield Toggle(freeze, scope, name, trained[name])


def around(toggle: Toggle, scopes: Iterable[Scope]) -> Iterator[tuple[m.Node, str]]:
    """Each statement that trains the model, with the text of the model there."""
    for scope in scopes:
        for node in own_nodes(scope):
            if not isinstance(node, m.Assign | m.Do):
                continue
            inside = [call for call in calls(node) if any(call is one for one in toggle.training)]
            text = dotted(inside[0].func.value) if inside and isinstance(inside[0].func, m.Attr) else None
            if text is not None:
                yield node, text


def _last(expr: m.Expr) -> str | None:
    text = dotted(expr)
    return text.rpartition(".")[2] if text is not None else None


def _method(node: m.Node, methods: frozenset[str] | set[str]) -> str | None:
    """The object on which one of `methods` is called."""
    if isinstance(node, m.Call) and isinstance(node.func, m.Attr) and node.func.name in methods:
        return _last(node.func.value)
    return None


def _freezes(node: m.Node) -> str | None:
    if not isinstance(node, m.Assign) or not isinstance(node.value, m.Const) or node.value.value is not False:
        return None
    target = node.targets[0]
    return _last(target.value) if isinstance(target, m.Attr) and target.name == "trainable" else None


def _unfreezes(node: m.Node) -> bool:
    """Any other assignment to ``trainable``: True, or by a helper ``set_trainable(model, value)``."""
    if not isinstance(node, m.Assign):
        return False
    sets = any(isinstance(t, m.Attr) and t.name == "trainable" for t in node.targets)
    return sets and not (isinstance(node.value, m.Const) and node.value.value is False)
