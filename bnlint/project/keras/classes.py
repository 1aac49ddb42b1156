"""Keras layers and models written as classes: their ``call``, what in it depends on the mode, and who trains them."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import dotted
from bnlint.frameworks import keras
from bnlint.project.calls import Site, own_nodes
from bnlint.project.contents import Contents
from bnlint.project.kinds import Kinds
from bnlint.project.names import Definition, External
from bnlint.project.scopes import Scope


class InnerCall(NamedTuple):
    """A call inside ``call`` of something that depends on the mode and is not told it; `kind` of layer it holds."""

    call: m.Call
    kind: str
    name: str


class CallMethod(NamedTuple):
    """``call`` of a Keras class: its training parameter if any, and the inner calls that are not told the mode."""

    cls: Definition
    method: Definition
    training: m.Param | None
    takes_any: bool
    untold: tuple[InnerCall, ...]


class Classes:
    """Keras classes of the project."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.calls = contents.calls
        self.names = contents.names
        self.kinds = Kinds(contents.calls)
        self._fits: dict[tuple[str, int], Site] | None = None

    def methods_in(self, path: str) -> Iterator[CallMethod]:
        """The ``call`` methods of one file that call something mode-dependent without telling it the mode."""
        for scope in self.names.scopes(path).values():
            if not isinstance(scope.node, m.Class):
                continue
            cls = Definition(scope.node, scope)
            own = next((s for s in scope.node.body if isinstance(s, m.Function) and s.name == "call"), None)
            if own is None or not self.is_keras(cls):
                continue
            method = Definition(own, self.names.scope(path, own))
            untold = tuple(self._untold(cls, method))
            if untold:
                training = next((p for p in own.params if p.name in keras.TRAINING_WORDS), None)
                yield CallMethod(cls, method, training, any(p.kind == "**" for p in own.params), untold)

    def is_keras(self, cls: Definition) -> bool:
        """Whether the class is a Keras layer or model."""
        return any(isinstance(a, External) and keras.MODEL_BASES.search(a.name) for a in self.names.ancestors(cls))

    def is_model(self, cls: Definition) -> bool:
        """Whether the class is a Keras model, not just a layer."""
        return any(isinstance(a, External) and keras.MODELS.search(a.name) for a in self.names.ancestors(cls))

    def _untold(self, cls: Definition, method: Definition) -> Iterator[InnerCall]:
        for node in own_nodes(method.scope):
            if not isinstance(node, m.Call) or not node.args or not self._on_self(node.func, method.scope):
                continue
            if any(arg.keyword in keras.TRAINING_WORDS or arg.star for arg in node.args):
                continue
            if sum(arg.keyword is None for arg in node.args) > 1:
                continue  # the flag may come by position
            content = self.contents.of(node.func, method.scope)
            layer = next((held for held in content.held if held.sure), None)
            if layer is not None and content.known:
                yield InnerCall(node, layer.kind, layer.name)

    def _on_self(self, func: m.Expr, scope: Scope) -> bool:
        params = scope.node.params if isinstance(scope.node, m.Function) else ()
        text = dotted(func)
        return bool(params) and text is not None and text.startswith(f"{params[0].name}.")

    def takes_training(self, call: m.Call, scope: Scope) -> bool:
        """Whether what is called certainly takes ``training=``: a layer or model of Keras, or one whose ``call`` has it."""
        owner = self.calls.instance(call.func, scope)
        if isinstance(owner, External):
            return keras.mode_layer(owner.name) is not None or keras.MODELS.search(owner.name) is not None
        method = self.names.method(owner, "call") if owner is not None else None
        params = method.node.params if method is not None and isinstance(method.node, m.Function) else ()
        return any(param.name == "training" or param.kind == "**" for param in params)

    # --- who trains it ---

    def fitted(self, cls: Definition) -> Site | None:
        """A call of ``fit`` or ``train_on_batch`` on an object of this class itself, if one is seen."""
        if self._fits is None:
            self._fits = {}
            for site in self.calls.all_sites():
                func = site.call.func
                if isinstance(func, m.Attr) and func.name in ("fit", "train_on_batch", "fit_generator"):
                    for kind in self.kinds.of(func.value, site.scope):
                        self._fits.setdefault(kind.key, site)
        return self._fits.get(cls.key)
