"""Every use of a batch norm, of any framework: called, bound by partial, configured by a scope or a dict, or set later."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks.norms import Norm, norm_named
from bnlint.frameworks.torch import NORM_TYPES
from bnlint.project.calls import Calls, Site
from bnlint.project.names import External, Parameter, Value
from bnlint.project.norm_names import NormNames
from bnlint.project.scopes import Scope


class Setting(NamedTuple):
    """A value given to a batch norm; `slot` is its 0-based position, None for a keyword."""

    value: m.Expr
    scope: Scope
    slot: int | None = None


class NormUse(NamedTuple):
    """One use of a batch norm at record `at`; a setting that is not given is None."""

    norm: Norm
    at: int
    scope: Scope
    momentum: Setting | None
    eps: Setting | None
    arguments: tuple[m.Arg, ...]

    def constant(self, keyword: str) -> object:
        """The literal given for `keyword`, or None."""
        found = next((arg.value for arg in self.arguments if arg.keyword == keyword), None)
        return found.value if isinstance(found, m.Const) else None


class Norms(NormNames):
    """Uses of batch norms, file by file."""

    def __init__(self, calls: Calls) -> None:
        super().__init__(calls)
        self._found: dict[str, tuple[NormUse, ...]] = {}

    def uses(self, path: str) -> tuple[NormUse, ...]:
        """All uses in one file, in no particular order."""
        if path not in self._found:
            self._found[path] = tuple(self._uses(path))
        return self._found[path]

    def _uses(self, path: str) -> Iterator[NormUse]:
        for scope in self.names.scopes(path).values():
            for call in scope.of(m.Call):
                yield from self._of_call(Site(call, scope))
            for one in scope.of(m.Dict):
                yield from self._registered(
                    one.at, [(k.value, v) for k, v in one.items if isinstance(k, m.Const)], scope
                )
            for question in scope.of(m.If):
                yield from self._assigned(question, scope)
            for node in scope.of(m.Assign):
                yield from self._set(node, scope)

    def _of_call(self, site: Site) -> Iterator[NormUse]:
        call, scope = site
        name = self.names.qualified(call.func, scope) or ""
        if name == "functools.partial":
            yield from self._use(site, self.named(call.args[0].value, scope) if call.args else None, call.args[1:])
        elif name == "onnx.helper.make_node":
            first = call.args[0].value if call.args else None
            if isinstance(first, m.Const) and first.value == "BatchNormalization":
                yield from self._use(site, (_ONNX, 0), call.args[1:])
        elif name.endswith(".arg_scope"):
            yield from self._arg_scope(site)
        elif isinstance(call.func, m.Name) and call.func.id == "dict":
            yield from self._registered(call.at, [(arg.keyword, arg.value) for arg in call.args], scope)
        else:
            yield from self._use(site, self._called(call, scope), call.args)
            yield from self._normalizer(site)

    def _called(self, call: m.Call, scope: Scope) -> tuple[Norm, int] | None:
        if isinstance(call.func, m.Attr) and call.func.name == "__init__":
            target = self.calls.target(call, scope)
            norm = norm_named(target.name) if isinstance(target, External) else None
            explicit = isinstance(call.func.value, m.Name)  # Base.__init__(self, …)
            return (norm, -1 if explicit else 0) if norm is not None else None
        if isinstance(call.func, m.Call) and self.names.qualified(call.func.func, scope) != "functools.partial":
            return None
        return self.named(call.func, scope)

    def _use(self, site: Site, found: tuple[Norm, int] | None, args: tuple[m.Arg, ...]) -> Iterator[NormUse]:
        if found is None:
            return
        norm, filled = found
        given = tuple(self._spread(args, site.scope))
        momentum = self._setting(given, norm.momentum, norm.momentum_slot, filled)
        eps = self._setting(given, norm.eps, norm.eps_slot, filled)
        yield NormUse(norm, site.call.at, site.scope, momentum, eps, tuple(arg for arg, _ in given))

    def _setting(
        self, args: tuple[tuple[m.Arg, Scope], ...], keyword: str, slot: int | None, filled: int
    ) -> Setting | None:
        position = filled
        for arg, scope in args:
            if arg.star:
                position = -1000  # what stands after a star has no known slot
            elif arg.keyword == keyword:
                return Setting(arg.value, scope)
            elif arg.keyword is None:
                if position == slot:
                    return Setting(arg.value, scope, slot)
                position += 1
        return None

    def _spread(self, args: tuple[m.Arg, ...], scope: Scope) -> Iterator[tuple[m.Arg, Scope]]:
        """The arguments, with those of a literal ``**dict`` written out."""
        for arg in args:
            pairs = self._pairs(arg.value, scope) if arg.star == "**" else None
            if pairs is None:
                yield arg, scope
            else:
                yield from pairs

    def _pairs(self, expr: m.Expr, scope: Scope) -> list[tuple[m.Arg, Scope]] | None:
        """The arguments in a literal dictionary, or in what the one caller gives to ``**kwargs``."""
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Parameter):
            return self._handed_on(meaning)
        if isinstance(meaning, Value):
            expr, scope = meaning.expr, meaning.scope
        elif isinstance(expr, m.Attr):
            value = self.only_attribute(expr, scope)
            expr, scope = (value.expr, value.scope) if value is not None else (expr, scope)
        if isinstance(expr, m.Dict):
            texts = [(key.value, value) for key, value in expr.items if isinstance(key, m.Const)]
            return [(m.Arg(value, key), scope) for key, value in texts if isinstance(key, str)]
        if isinstance(expr, m.Call) and isinstance(expr.func, m.Name) and expr.func.id == "dict":
            return [(arg, scope) for arg in expr.args if arg.keyword is not None]
        return None

    def _handed_on(self, parameter: Parameter) -> list[tuple[m.Arg, Scope]] | None:
        function = self.calls.function_of(parameter.scope)
        if function is None:
            return None
        if parameter.param.kind != "**":
            values = [one.value for one in self.calls.passed(function, parameter.param.name) if one.value is not None]
            default = parameter.param.default
            values = values or ([Value(default, parameter.scope)] if default is not None else [])
            literal = [v for v in values if isinstance(v.expr, m.Dict | m.Call)]
            return self._pairs(literal[0].expr, literal[0].scope) if literal else None
        own = {param.name for param in getattr(parameter.scope.node, "params", ())}
        given = [(arg, site.scope) for site in self.calls.made_at(function) for arg in site.call.args]
        return [(arg, scope) for arg, scope in given if arg.keyword is not None and arg.keyword not in own]

    def _arg_scope(self, site: Site) -> Iterator[NormUse]:
        if not site.call.args or not isinstance(site.call.args[0].value, m.Seq):
            return
        for item in site.call.args[0].value.items:
            yield from self._use(site, self.named(item, site.scope), site.call.args[1:])
        yield from self._normalizer(site)

    def _normalizer(self, site: Site) -> Iterator[NormUse]:
        given = {arg.keyword: arg.value for arg in site.call.args if arg.keyword is not None}
        if "normalizer_fn" not in given or "normalizer_params" not in given:
            return
        star = (m.Arg(given["normalizer_params"], None, "**"),)
        yield from self._use(site, self.named(given["normalizer_fn"], site.scope), star)

    # --- set later, or by a registry ---

    def _registered(self, at: int, items: Sequence[tuple[object, m.Expr]], scope: Scope) -> Iterator[NormUse]:
        """``dict(type="BN", momentum=…)``: what the registries of PyTorch's toolboxes build batch norms of."""
        given = {key: value for key, value in items if isinstance(key, str)}
        kind = given.get("type")
        if isinstance(kind, m.Const) and kind.value in NORM_TYPES:
            momentum, eps = (Setting(given[key], scope) if key in given else None for key in ("momentum", "eps"))
            yield NormUse(TORCH, at, scope, momentum, eps, tuple(m.Arg(value, key) for key, value in given.items()))

    def _set(self, node: m.Assign, scope: Scope) -> Iterator[NormUse]:
        """``net.bn.momentum = …`` of an attribute that is known to be a batch norm."""
        target = node.targets[0]
        if node.op == "=" and node.value is not None and isinstance(target, m.Attr) and target.name in _SETTINGS:
            made = self.calls.instance(target.value, scope)
            norm = norm_named(made.name) if isinstance(made, External) else None
            if norm is not None:
                yield self._setting_of(norm, node, target.name, scope)

    @staticmethod
    def _setting_of(norm: Norm, node: m.Assign, name: str, scope: Scope) -> NormUse:
        assert node.value is not None
        setting = Setting(node.value, scope)
        momentum, eps = (setting if name == own else None for own in (norm.momentum, norm.eps))
        return NormUse(norm, node.at, scope, momentum, eps, ())

    def _assigned(self, node: m.If, scope: Scope) -> Iterator[NormUse]:
        """``if isinstance(layer, nn.BatchNorm2d): layer.momentum = …``, also where the class is asked by its name."""
        norm, subject = self._asked(node.test, scope)
        for statement in node.body if norm is not None else ():
            target = statement.targets[0] if isinstance(statement, m.Assign) and statement.op == "=" else None
            if norm is None or not isinstance(target, m.Attr) or target.name not in _SETTINGS:
                continue
            if isinstance(target.value, m.Name) and target.value.id == (subject or target.value.id):
                assert isinstance(statement, m.Assign)
                yield self._setting_of(norm, statement, target.name, scope)

    def _asked(self, test: m.Expr, scope: Scope) -> tuple[Norm | None, str | None]:
        """The batch norm that a question is for, and the variable it is asked of (None where only a class's name is)."""
        guard = next((n for n in walk(test) if isinstance(n, m.Call) and _named(n.func, "isinstance")), None)
        if guard is not None and len(guard.args) == 2 and isinstance(guard.args[0].value, m.Name):
            kinds = guard.args[1].value
            candidates = kinds.items if isinstance(kinds, m.Seq) else (kinds,)
            norm = next((found[0] for kind in candidates if (found := self.named(kind, scope)) is not None), None)
            return norm, guard.args[0].value.id
        for asked in walk(test):  # ``type(m) is nn.BatchNorm2d``, also by way of a name
            if isinstance(asked, m.Op) and asked.op in {"is", "=="} and self._is_type(asked.args[0], scope):
                found = self.named(asked.args[1], scope)
                if found is not None:
                    return found[0], None
        words = {node.value for node in walk(test) if isinstance(node, m.Const) and isinstance(node.value, str)}
        by_name = any(word.startswith(("BatchNorm", "SyncBatchNorm")) and "ization" not in word for word in words)
        return (TORCH, None) if by_name and self._speaks_of_classes(test, scope) else (None, None)

    def _is_type(self, expr: m.Expr, scope: Scope) -> bool:
        meaning = self.names.resolve(expr, scope) if isinstance(expr, m.Name) else None
        inner = meaning.expr if isinstance(meaning, Value) else expr
        return isinstance(inner, m.Call) and _named(inner.func, "type")

    def _speaks_of_classes(self, test: m.Expr, scope: Scope) -> bool:
        """``m.__class__.__name__``, ``type(m).__name__``, or a name that was given one of them."""
        for node in walk(test):
            meaning = self.names.resolve(node, scope) if isinstance(node, m.Name) else None
            inner = meaning.expr if isinstance(meaning, Value) else node
            if isinstance(inner, m.Attr) and inner.name == "__name__":
                return True
        return False


def _named(expr: m.Expr, name: str) -> bool:
    return isinstance(expr, m.Name) and expr.id == name


_ONNX = Norm(r"^$", "onnx", eps=("epsilon", None), title="ONNX")
TORCH = Norm(r"^$", "torch", momentum=("momentum", 2), eps=("eps", 1), title="PyTorch")
_SETTINGS = frozenset({"momentum", "eps", "epsilon"})
