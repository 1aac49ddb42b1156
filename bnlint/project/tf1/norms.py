"""Uses of TensorFlow 1's batch norms: each with the flag it gets and the way its updates go, as the text states them."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.frameworks import tf1
from bnlint.project.calls import Calls, Site
from bnlint.project.names import Definition, External, Parameter, Value
from bnlint.project.scopes import Scope
from bnlint.project.tf1.words import Words

_MAX_DEPTH = 6


class Given(NamedTuple):
    """An expression that is passed, with the scope it is read in."""

    expr: m.Expr
    scope: Scope


class Arguments(NamedTuple):
    """Arguments of a call by name, literal ``**dicts`` opened; `hidden` if a star argument could hold any more."""

    by_name: dict[str, Given]
    positional: tuple[Given, ...]
    hidden: bool


class Use(NamedTuple):
    """One use of a batch norm. `how`: ``call``, ``partial`` (bound), ``normalizer`` (named as a ``normalizer_fn``), ``net`` (inside
    a network of slim), ``scope`` (whatever norms are below an ``arg_scope``).
    """

    norm: tf1.Tf1Norm
    call: m.Call
    scope: Scope
    how: str
    flag: Given | None
    updates: Given | None
    hidden: bool
    frozen: bool

    @property
    def key(self) -> tuple[str, int]:
        """Identity across the project."""
        return self.scope.path, self.call.at


class Norms:
    """Finds uses of batch norms."""

    def __init__(self, calls: Calls, words: Words) -> None:
        self.calls = calls
        self.words = words

    # --- arguments ---

    def arguments(self, call: m.Call, scope: Scope) -> Arguments:
        """The arguments of `call` with literal dictionaries opened."""
        named: dict[str, Given] = {}
        positional: list[Given] = []
        hidden = False
        for arg in call.args:
            if arg.star == "**":
                opened = self.dictionary(arg.value, scope)
                hidden |= opened is None
                named.update({k: v for k, v in (opened or {}).items() if k not in named})
            elif arg.star:
                hidden = True
            elif arg.keyword is not None:
                named[arg.keyword] = Given(arg.value, scope)
            else:
                positional.append(Given(arg.value, scope))
        return Arguments(named, tuple(positional), hidden)

    def dictionary(self, expr: m.Expr, scope: Scope, depth: int = 0) -> dict[str, Given] | None:
        """A literal dictionary (or ``dict(…)``, or a name or attribute of one) by its keys; None if it is not known."""
        if depth > _MAX_DEPTH:
            return None
        if isinstance(expr, m.Dict):
            return self._display(expr, scope, depth + 1)
        if isinstance(expr, m.Call) and isinstance(expr.func, m.Name) and expr.func.id == "dict":
            found = self.arguments(expr, scope)
            return None if found.hidden or found.positional else found.by_name
        value = self._one_value(expr, scope)
        return self.dictionary(value.expr, value.scope, depth + 1) if value is not None else None

    def _display(self, expr: m.Dict, scope: Scope, depth: int) -> dict[str, Given] | None:
        found: dict[str, Given] = {}
        for key, value in expr.items:
            if key is None:
                inner = self.dictionary(value, scope, depth)
                if inner is None:
                    return None
                found.update(inner)
            elif isinstance(key, m.Const) and isinstance(key.value, str):
                found[key.value] = Given(value, scope)
        return found

    def _one_value(self, expr: m.Expr, scope: Scope) -> Value | None:
        meaning = self.calls.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            return meaning
        if isinstance(meaning, Parameter) and meaning.param.default is not None and meaning.scope.parent is not None:
            return Value(meaning.param.default, meaning.scope.parent)
        if isinstance(expr, m.Attr):
            owner = self.calls.instance(expr.value, scope)
            values = self.calls.names.attribute_values(owner, expr.name) if isinstance(owner, Definition) else []
            return values[0] if len(values) == 1 else None
        return None

    # --- uses ---

    def function(self, expr: m.Expr, scope: Scope) -> tf1.Tf1Norm | None:
        """The batch norm that `expr` names as a function."""
        name = self.words.name(expr, scope)
        return tf1.norm_function(name) if name is not None else None

    def uses(self, site: Site) -> Iterator[Use]:
        """Uses of a batch norm that this call is or contains as an argument."""
        call, scope = site
        norm = self.function(call.func, scope)
        if norm is not None:
            yield self.made(norm, site, "call", self.arguments(call, scope))
            return
        name = self.words.name(call.func, scope)
        if name is not None and tf1.is_slim_net(name):
            yield self.made(tf1.CONTRIB, site, "net", self.arguments(call, scope))
            return
        made = self._instance(call, scope)
        if made is not None:
            yield self.made(tf1.LAYER_CLASS, site, "call", self.arguments(call, scope), frozen=made)
            return
        if self.words.tail(call) == "partial" and call.args:
            norm = self.function(call.args[0].value, scope)
            if norm is not None:
                yield self.made(norm, site, "partial", self.arguments(call, scope))
        yield from self._normalizer(site)

    def _instance(self, call: m.Call, scope: Scope) -> bool | None:
        """Whether the layer object called here was made with ``trainable=False``; None if it is no batch norm."""
        func = call.func
        target = func.value if isinstance(func, m.Attr) and func.name in ("apply", "__call__", "call") else func
        if isinstance(target, m.Name | m.Attr | m.Call):
            made = self.calls.instance(target, scope)
            if isinstance(made, External) and tf1.is_norm_class(tf1.canonical(made.name)):
                maker = target if isinstance(target, m.Call) else self._maker(target, scope)
                return maker is not None and _is_false(_keyword(maker, "trainable"))
        return None

    def _maker(self, expr: m.Expr, scope: Scope) -> m.Call | None:
        value = self._one_value(expr, scope)
        return value.expr if value is not None and isinstance(value.expr, m.Call) else None

    def _normalizer(self, site: Site) -> Iterator[Use]:
        call, scope = site
        if not any(arg.keyword == "normalizer_fn" or arg.star == "**" for arg in call.args):
            return
        outer = self.arguments(call, scope)
        given = outer.by_name.get("normalizer_fn")
        norm = self.function(given.expr, given.scope) if given is not None else None
        if norm is None:
            return
        params = outer.by_name.get("normalizer_params")
        opened = self.dictionary(params.expr, params.scope) if params is not None else {}
        yield self.made(norm, site, "normalizer", Arguments(opened or {}, (), opened is None))

    def made(self, norm: tf1.Tf1Norm, site: Site, how: str, given: Arguments, *, frozen: bool = False) -> Use:
        """The use of `norm` that a call with these arguments is."""
        slot = norm.slot + (1 if how == "partial" else 0)
        flag = given.by_name.get(norm.flag)
        if flag is None and how not in ("normalizer", "net") and len(given.positional) > slot:
            flag = given.positional[slot]
        updates = given.by_name.get(norm.updates) if norm.updates is not None else None
        trainable = given.by_name.get("trainable")
        still = frozen or (norm.kind == "layers" and trainable is not None and _is_false(trainable.expr))
        return Use(norm, site.call, site.scope, how, flag, updates, given.hidden, still)


def _keyword(call: m.Call, name: str) -> m.Expr | None:
    return next((arg.value for arg in call.args if arg.keyword == name), None)


def _is_false(expr: m.Expr | None) -> bool:
    return isinstance(expr, m.Const) and expr.value is False
