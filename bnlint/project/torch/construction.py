"""How modules are written: layers made where they are used, overrides of ``train``, searches one level deep."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks import torch as table
from bnlint.project.calls import Calls, own_nodes
from bnlint.project.names import Definition, External, Names
from bnlint.project.scopes import Scope
from bnlint.project.torch.layers import Layers

_KERAS = ("keras.", "tensorflow.keras.", "tf_keras.", "tensorflow.python.keras.")
# A dropout of Keras holds no weights and learns the mode from the call around it: a new one each time is right.
_KERAS_LAYERS = ("BatchNormalization", "SyncBatchNormalization")


class Fresh(NamedTuple):
    """A layer that is made and called on the spot; `call` is the use, `kind` what sort of layer."""

    call: m.Call
    maker: m.Call
    name: str
    kind: str


class Construction:
    """Questions about the bodies of module classes."""

    def __init__(self, names: Names, calls: Calls, layers: Layers) -> None:
        self.names = names
        self.calls = calls
        self.layers = layers

    def modules(self, file: m.FileFacts) -> Iterator[Definition]:
        """Classes of the file that derive from torch's Module."""
        for scope in self.names.scopes(file.path).values():
            if isinstance(scope.node, m.Class):
                cls = Definition(scope.node, scope)
                if self.layers.is_module(cls):
                    yield cls

    def made_in_forward(self, file: m.FileFacts) -> Iterator[Fresh]:
        """Layers with a mode that a method of a module makes and calls at once, so that nothing registers them."""
        for scope in self.names.scopes(file.path).values():
            if isinstance(scope.node, m.Function) and scope.node.name != "__init__":
                yield from self._fresh_in(scope, file)

    def _fresh_in(self, scope: Scope, file: m.FileFacts) -> Iterator[Fresh]:
        cls = self.names.class_of(scope)
        if cls is None or not isinstance(scope.node, m.Function):
            return
        torch = self.layers.is_module(cls)
        keras = not torch and scope.node.name == "call" and self._is_keras(cls)
        if not torch and not keras:
            return
        for node in own_nodes(scope):
            if isinstance(node, m.Call):
                maker = self._maker(node.func, scope)
                found = self._kind(maker, scope, keras=keras) if maker is not None else None
                if maker is not None and found is not None:
                    yield Fresh(node, maker, *found)

    def _maker(self, func: m.Expr, scope: Scope) -> m.Call | None:
        """The call that made what is called: directly, or as the only value of a local name."""
        if isinstance(func, m.Call):
            return func
        bindings = scope.names.get(func.id, ()) if isinstance(func, m.Name) else ()
        if len(bindings) != 1 or bindings[0].kind != "value" or not isinstance(bindings[0].node, m.Call):
            return None
        return None if _escapes(func, scope) else bindings[0].node

    def _kind(self, maker: m.Call, scope: Scope, *, keras: bool) -> tuple[str, str] | None:
        name = self.names.qualified(maker.func, scope)
        if name is None:
            return None
        last = name.rsplit(".", 1)[-1]
        if keras:
            fits = name.startswith(_KERAS) and last in _KERAS_LAYERS
            return (last, "batch norm") if fits else None
        kind = table.MODE_LAYERS.get(name)
        return (last, kind) if kind is not None else None

    def _is_keras(self, cls: Definition) -> bool:
        bases = self.names.ancestors(cls)
        return any(
            isinstance(b, External) and b.name.startswith(_KERAS) and b.name.rsplit(".", 1)[-1] in {"Model", "Layer"}
            for b in bases
        )

    def shallow_searches(self, file: m.FileFacts) -> Iterator[tuple[m.Call, Scope]]:
        """Searches for batch norm in ``children()`` where nobody goes deeper."""
        for scope in self.names.scopes(file.path).values():
            if isinstance(scope.node, m.Class):
                continue
            nodes = list(own_nodes(scope))
            for target, source, body in _loops(nodes):
                if (
                    _is_children(source)
                    and self._asks_for_norm(body, target, scope)
                    and not self._deepens(body, target, scope)
                ):
                    assert isinstance(source, m.Call)
                    if not self._is_direct_parent(source, scope):
                        yield source, scope

    def _asks_for_norm(self, body: tuple[m.Node, ...], target: m.Expr, scope: Scope) -> bool:
        names = _bound_names(target)
        for node in walk(body):
            if (
                isinstance(node, m.Call)
                and isinstance(node.func, m.Name)
                and node.func.id == "isinstance"
                and len(node.args) == 2
            ):
                asked, kinds = node.args[0].value, node.args[1].value
                if isinstance(asked, m.Name) and asked.id in names and self._is_norm(kinds, scope):
                    return True
        return False

    def _is_norm(self, kinds: m.Expr, scope: Scope) -> bool:
        options = kinds.items if isinstance(kinds, m.Seq) else (kinds,)
        named = [self._layer(option, scope) for option in options]
        norms = [name for name in named if name in table.BATCH_NORMS]
        return bool(norms) and all(name in table.BATCH_NORMS or name.endswith("Norm") for name in named)

    def _layer(self, option: m.Expr, scope: Scope) -> str:
        """The full name of a layer's class; for one of the project, of the layer that it derives from."""
        meaning = self.names.resolve(option, scope)
        if isinstance(meaning, Definition) and isinstance(meaning.node, m.Class):
            bases = [base.name for base in self.names.ancestors(meaning) if isinstance(base, External)]
            return next((name for name in bases if name in table.MODE_LAYERS), "")
        return meaning.name if isinstance(meaning, External) else ""

    def _deepens(self, body: tuple[m.Node, ...], target: m.Expr, scope: Scope) -> bool:
        """Whether the body hands the child on (recursion) or walks below it."""
        names = _bound_names(target)
        own = getattr(scope.node, "name", None)
        for node in walk(body):
            if not isinstance(node, m.Call):
                continue
            called = (
                node.func.name
                if isinstance(node.func, m.Attr)
                else node.func.id
                if isinstance(node.func, m.Name)
                else ""
            )
            passed = any(isinstance(a.value, m.Name) and a.value.id in names for a in node.args)
            below = (
                isinstance(node.func, m.Attr) and isinstance(node.func.value, m.Name) and node.func.value.id in names
            )
            if (called == own and own) or (
                passed and called not in {"isinstance", "issubclass", "print", "append", "setattr", "type"}
            ):
                return True
            if below and called in {"modules", "children", "named_modules", "named_children", "apply"}:
                return True
        return False

    def _is_direct_parent(self, source: m.Call, scope: Scope) -> bool:
        """``self.children()`` of a module that holds its batch norms itself finds them all; so does a plain Sequential."""
        assert isinstance(source.func, m.Attr)
        owner = self.calls.instance(source.func.value, scope)
        if isinstance(owner, External):
            return owner.name.endswith(("Sequential", "ModuleList"))
        if not isinstance(owner, Definition):
            return False
        made = [v for values in owner.scope.attributes.values() for v in values if isinstance(v[0], m.Call)]
        named = [self.names.qualified(expr.func, home) for expr, home in made if isinstance(expr, m.Call)]
        return bool(made) and all(
            name is not None and name.startswith("torch.nn.") and "Sequential" not in name for name in named
        )


def _loops(nodes: list[m.Node]) -> Iterator[tuple[m.Expr, m.Expr, tuple[m.Node, ...]]]:
    for node in nodes:
        if isinstance(node, m.For):
            yield node.target, node.iter, node.body
        elif isinstance(node, m.Comp) and len(node.loops) == 1:
            yield node.loops[0].target, node.loops[0].iter, (*node.items, *node.loops[0].tests)


def _is_children(expr: m.Expr) -> bool:
    return (
        isinstance(expr, m.Call)
        and isinstance(expr.func, m.Attr)
        and expr.func.name in {"children", "named_children"}
        and not expr.args
    )


def _bound_names(target: m.Expr) -> set[str]:
    return {node.id for node in walk(target) if isinstance(node, m.Name)}


def _escapes(func: m.Expr, scope: Scope) -> bool:
    """Whether a local layer is also kept: stored on self, returned, or given to another call."""
    assert isinstance(func, m.Name) and isinstance(scope.node, m.Function)
    uses = 0
    called = 0
    for node in walk(scope.node):
        uses += isinstance(node, m.Name) and node.id == func.id
        called += isinstance(node, m.Call) and isinstance(node.func, m.Name) and node.func.id == func.id
    return uses > called + 1  # once for its own assignment
