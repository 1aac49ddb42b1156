"""Programs of nnx and equinox, whose models are switched by hand: is anybody switching them?"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import calls as calls_below
from bnlint.facts.walk import dotted
from bnlint.project.calls import Calls, own_nodes
from bnlint.project.jax.differentiated import Differentiated
from bnlint.project.names import Definition
from bnlint.project.scopes import Scope

_EVALUATION = re.compile(
    r"(?:^|_)(?:eval|evaluate|evaluation|test|valid|validate|validation|predict|infer|inference|accuracy)(?:_|$)"
)
_SWITCHES = {
    "nnx": frozenset({"eval", "set_attributes", "view", "set_mode", "eval_mode"}),
    "equinox": frozenset({"inference_mode", "tree_inference"}),
}
_FLAGS = frozenset({"deterministic", "use_running_average", "inference"})
_LAYERS = re.compile(r"^(?:flax\.(nnx)|(equinox)\.nn)\b.*\.(?:BatchNorm|Dropout)$")


class Unswitched(NamedTuple):
    """A call of a model in an evaluation function of a program that never switches to evaluation."""

    call: m.Call
    scope: Scope
    framework: str
    layer: str


class Modes:
    """Whether a project's nnx and equinox models are ever put into evaluation mode."""

    def __init__(self, calls: Calls, differentiated: Differentiated) -> None:
        self.calls = calls
        self.names = calls.names
        self.differentiated = differentiated
        self._held: dict[str, str] | None = None

    def unswitched_in(self, path: str) -> Iterator[Unswitched]:
        """Evaluation calls of one file; none if the project switches anywhere or does not train."""
        held = self._layers()
        if not held:
            return
        for scope in self.names.scopes(path).values():
            if not isinstance(scope.node, m.Function) or not _EVALUATION.search(scope.node.name):
                continue
            for node in own_nodes(scope):
                if isinstance(node, m.Call) and (framework := self._of_model(node, scope, held)) is not None:
                    yield Unswitched(node, scope, framework, held[framework])
                    break

    def left_in(self, path: str) -> Iterator[Unswitched]:
        """Evaluation steps that a function runs after ``model.train()`` although neither calls ``model.eval()``."""
        if not self._imports(path, "nnx") or "nnx" in self._layers():
            return  # where nobody switches at all, the evaluation function is the place to say so
        for scope in self.names.scopes(path).values():
            calls = [node for node in own_nodes(scope) if isinstance(node, m.Call)]
            switched = {name: call for call in calls if (name := _switched(call, "train")) is not None}
            if not switched or any(_switched(call, word) for call in calls for word in ("eval", "set_attributes")):
                continue
            for call in calls:
                name = (dotted(call.func) or "").rpartition(".")[2]
                given = {dotted(arg.value) for arg in call.args}
                if _EVALUATION.search(name) and given & set(switched) and not self._switches(call, scope):
                    yield Unswitched(call, scope, "nnx", "the model")

    def _switches(self, call: m.Call, scope: Scope) -> bool:
        target = self.calls.target(call, scope)
        if not isinstance(target, Definition):
            return False
        return any(_switched(inner, "eval") is not None for inner in calls_below(target.node))

    def _of_model(self, call: m.Call, scope: Scope, held: dict[str, str]) -> str | None:
        """The framework of the model that is called: a parameter or object named model (or net)."""
        func = call.func
        if isinstance(func, m.Call) and func.args and (self.names.qualified(func.func, scope) or "").endswith("vmap"):
            func = func.args[0].value
        name = func.id if isinstance(func, m.Name) else func.name if isinstance(func, m.Attr) else ""
        if not re.search(r"(?:^|_)(?:model|net|network|classifier|cnn|resnet)$", name):
            return None
        used = {root for root in held if self._imports(scope.path, root)}
        return used.pop() if len(used) == 1 else None

    def _imports(self, path: str, framework: str) -> bool:
        words = {"nnx": "flax", "equinox": "equinox"}
        for node in self.names.files[path].body:
            if isinstance(node, m.Import) and any(a.name.split(".")[0] == words[framework] for a in node.names):
                return True
            if isinstance(node, m.From) and node.module.split(".")[0] == words[framework]:
                return True
        return False

    def _may_hold(self, path: str) -> bool:
        """Whether a file imports a framework of which it may make layers."""
        for scope in self.names.scopes(path).values():
            modules = [
                *(one.module for one in scope.of(m.From)),
                *(a.name for i in scope.of(m.Import) for a in i.names),
            ]
            if any(module.split(".", 1)[0] in {"flax", "equinox"} for module in modules):
                return True
        return False

    def _layers(self) -> dict[str, str]:
        """Frameworks of which the project holds a mode-dependent layer, trains, and never switches."""
        if self._held is None and not any(self._may_hold(path) for path in self.names.files):
            self._held = {}
        if self._held is None:
            found: dict[str, str] = {}
            switched: set[str] = set()
            trains = False
            for site in self.calls.all_sites():
                name = self.names.qualified(site.call.func, site.scope) or ""
                match = _LAYERS.match(name)
                if match and not any(arg.keyword in _FLAGS for arg in site.call.args):
                    found.setdefault(match[1] or match[2], name.rpartition(".")[2])
                elif any(arg.keyword in _FLAGS or arg.star == "**" for arg in site.call.args):
                    switched |= set(_SWITCHES)
                word = site.call.func.name if isinstance(site.call.func, m.Attr) else name.rpartition(".")[2]
                switched |= {framework for framework, words in _SWITCHES.items() if word in words}
                trains = trains or self.differentiated.transform(site.call.func, site.scope) is not None
            self._held = {k: v for k, v in found.items() if k not in switched} if trains else {}
        return self._held


def _switched(call: m.Call, word: str) -> str | None:
    """``model`` of ``model.train()``."""
    return dotted(call.func.value) if isinstance(call.func, m.Attr) and call.func.name == word else None


__all__ = ["Modes", "Unswitched"]
