"""Every use of a batch norm, of any framework: called, bound by partial, configured by a scope or a dict, or set later."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks.norms import Norm, norm_named
from bnlint.project.calls import Calls, Site, own_nodes
from bnlint.project.names import Definition, External, Parameter, Value
from bnlint.project.scopes import Scope

_MAX_DEPTH = 6


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


class Norms:
    """Uses of batch norms, file by file."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.names = calls.names

    def uses(self, path: str) -> Iterator[NormUse]:
        """All uses in one file, in no particular order."""
        for scope in self.names.scopes(path).values():
            for node in own_nodes(scope):
                if isinstance(node, m.Call):
                    yield from self._of_call(Site(node, scope))
                elif isinstance(node, m.If):
                    yield from self._assigned(node, scope)

    def named(self, expr: m.Expr, scope: Scope, depth: int = 0) -> tuple[Norm, int] | None:
        """The batch norm that `expr` means, and how many positional arguments a partial has filled."""
        if depth > _MAX_DEPTH:
            return None
        if isinstance(expr, m.Call):
            return self._partial(expr, scope, depth + 1)
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, External):
            norm = norm_named(meaning.name)
            return (norm, 0) if norm is not None else None
        if isinstance(meaning, Value):
            return self.named(meaning.expr, meaning.scope, depth + 1)
        if isinstance(meaning, Parameter) and meaning.param.default is not None:
            return self.named(meaning.param.default, meaning.scope.parent or meaning.scope, depth + 1)
        if isinstance(meaning, Definition) and isinstance(meaning.node, m.Class):
            return self._subclass(meaning)
        return self._attribute(expr, scope, depth + 1) if isinstance(expr, m.Attr) else None

    def _partial(self, call: m.Call, scope: Scope, depth: int) -> tuple[Norm, int] | None:
        if (
            self.names.qualified(call.func, scope) not in ("functools.partial", "jax.tree_util.Partial")
            or not call.args
        ):
            return None
        inner = self.named(call.args[0].value, scope, depth)
        filled = sum(arg.keyword is None for arg in call.args[1:])
        return (inner[0], inner[1] + filled) if inner is not None else None

    def _subclass(self, cls: Definition) -> tuple[Norm, int] | None:
        if self.names.method(cls, "__init__") is not None:
            return None  # its own signature; what it hands on is seen at its super().__init__(…)
        bases = [norm_named(base.name) for base in self.names.ancestors(cls) if isinstance(base, External)]
        norm = next((base for base in bases if base is not None), None)
        return (norm, 0) if norm is not None else None

    def _attribute(self, expr: m.Attr, scope: Scope, depth: int) -> tuple[Norm, int] | None:
        owner = self.calls.instance(expr.value, scope)
        values = self.names.attribute_values(owner, expr.name) if isinstance(owner, Definition) else []
        return self.named(values[0].expr, values[0].scope, depth) if len(values) == 1 else None

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
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            expr, scope = meaning.expr, meaning.scope
        if isinstance(expr, m.Dict):
            texts = [(key.value, value) for key, value in expr.items if isinstance(key, m.Const)]
            return [(m.Arg(value, key), scope) for key, value in texts if isinstance(key, str)]
        if isinstance(expr, m.Call) and isinstance(expr.func, m.Name) and expr.func.id == "dict":
            return [(arg, scope) for arg in expr.args if arg.keyword is not None]
        return None

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

    def _assigned(self, node: m.If, scope: Scope) -> Iterator[NormUse]:
        """``if isinstance(layer, nn.BatchNorm2d): layer.momentum = …``."""
        guard = next((n for n in walk(node.test) if isinstance(n, m.Call) and _named(n.func, "isinstance")), None)
        if guard is None or len(guard.args) != 2 or not isinstance(guard.args[0].value, m.Name):
            return
        kinds = guard.args[1].value
        candidates = kinds.items if isinstance(kinds, m.Seq) else (kinds,)
        norm = next((found[0] for kind in candidates if (found := self.named(kind, scope)) is not None), None)
        subject = guard.args[0].value.id
        for statement in node.body if norm is not None else ():
            if not isinstance(statement, m.Assign) or statement.op != "=" or statement.value is None:
                continue
            target = statement.targets[0]
            if isinstance(target, m.Attr) and _named(target.value, subject) and norm is not None:
                setting = Setting(statement.value, scope)
                momentum = setting if target.name == norm.momentum else None
                eps = setting if target.name == norm.eps else None
                yield NormUse(norm, statement.at, scope, momentum, eps, ())


def _named(expr: m.Expr, name: str) -> bool:
    return isinstance(expr, m.Name) and expr.id == name


_ONNX = Norm(r"^$", "onnx", eps=("epsilon", None), title="ONNX")
