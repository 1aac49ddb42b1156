"""Calls of a model under a GradientTape whose gradients move that very model, also through helper functions."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import children, dotted, walk
from bnlint.frameworks import keras
from bnlint.project.calls import Calls, argument, is_method, own_nodes
from bnlint.project.names import Definition
from bnlint.project.scopes import Scope
from bnlint.project.slices import block_of, bound_names

_MAX_HELPERS = 3


class TapeCall(NamedTuple):
    """A call of a trained model under a tape.

    `via` are the calls, outermost first, that lead from the tape to a helper function the call stands in; `whole`
    tells a call of the trained object itself from one of something inside it.
    """

    call: m.Call
    scope: Scope
    tape: m.With
    home: Scope
    whole: bool
    via: tuple[tuple[m.Call, Scope], ...] = ()


class _Region(NamedTuple):
    """What is known while a tape's body is read: whose variables get gradients, and what parameters stand for."""

    owners: frozenset[str]
    tape: m.With
    home: Scope
    scope: Scope
    meaning: Mapping[str, str]
    via: tuple[tuple[m.Call, Scope], ...] = ()


class Tapes:
    """Training calls of Keras models, file by file (by the file in which the call stands)."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.names = calls.names
        self._by_path: dict[str, list[TapeCall]] | None = None

    def calls_in(self, path: str) -> list[TapeCall]:
        """Calls that stand in this file."""
        if self._by_path is None:
            self._by_path = {}
            for call in self._all():
                self._by_path.setdefault(call.scope.path, []).append(call)
        return self._by_path.get(path, [])

    def _all(self) -> Iterator[TapeCall]:
        for path in self.names.files:
            for scope in self.names.scopes(path).values():
                if any(isinstance(node, m.With) and self._tape_names(node, scope) for node in own_nodes(scope)):
                    yield from self._block(block_of(scope, self.names), None, scope)

    def _tape_names(self, node: m.With, scope: Scope) -> set[str]:
        found: set[str] = set()
        for item in node.items:
            if isinstance(item.context, m.Call) and self._is_tape(item.context, scope):
                found |= bound_names(item.target) if item.target is not None else {"?"}
        return found

    def _is_tape(self, call: m.Call, scope: Scope) -> bool:
        name = self.names.qualified(call.func, scope)
        return name is not None and bool(keras.GRADIENT_TAPE.search(name))

    # --- whose variables ---

    def _owners(self, tapes: set[str], scope: Scope) -> frozenset[str]:
        """Dotted names of the models whose variables the gradients of `tapes` are taken for."""
        found: set[str] = set()
        for node in own_nodes(scope):
            sources = _sources(node, tapes) if isinstance(node, m.Call) else None
            if sources is not None:
                found |= self._owners_in(sources, scope, 0)
        return frozenset(found)

    def _owners_in(self, expr: m.Expr, scope: Scope, depth: int) -> set[str]:
        found: set[str] = set()
        for node in walk(expr):
            owner = _variables_of(node)
            if owner is not None:
                found.add(canonical(owner, scope))
            elif isinstance(node, m.Name) and depth < 3:
                hit = scope.lookup(node.id)
                for binding in hit[1] if hit is not None else ():
                    if binding.kind == "value":
                        found |= self._owners_in(binding.node, scope, depth + 1)
        return found

    # --- the walk ---

    def _block(self, block: m.Block, region: _Region | None, scope: Scope) -> Iterator[TapeCall]:
        stack: list[m.Node] = list(reversed(block))
        while stack:
            node = stack.pop()
            if isinstance(node, m.With) and (names := self._tape_names(node, scope)):
                yield from self._under(node, names, region, scope)
                continue
            if isinstance(node, m.Function | m.Class | m.Lambda):
                continue
            if isinstance(node, m.Call) and region is not None:
                yield from self._call(node, region)
            stack.extend(reversed(children(node)))

    def _under(self, node: m.With, names: set[str], outer: _Region | None, scope: Scope) -> Iterator[TapeCall]:
        owners = frozenset(_mapped(owner, outer.meaning if outer else {}) for owner in self._owners(names, scope))
        if outer is not None and owners:
            owners |= outer.owners
        if not owners:  # gradients of the input (penalty, saliency, attack): the model is not trained by this tape
            return
        via, meaning = (outer.via, outer.meaning) if outer is not None else ((), {})
        yield from self._block(node.body, _Region(owners, node, scope, scope, meaning, via), scope)

    def _call(self, call: m.Call, region: _Region) -> Iterator[TapeCall]:
        text = dotted(call.func)
        if text is None:
            return
        full = _mapped(canonical(text, region.scope), region.meaning)
        target = self.calls.target(call, region.scope)
        helper = isinstance(target, Definition) and isinstance(target.node, m.Function) and _plain(target, text)
        if not helper and any(full == owner or full.startswith(f"{owner}.") for owner in region.owners):
            yield TapeCall(call, region.scope, region.tape, region.home, full in region.owners, region.via)
        elif helper and isinstance(target, Definition) and len(region.via) < _MAX_HELPERS:
            yield from self._helper(call, target, region)

    def _helper(self, call: m.Call, target: Definition, region: _Region) -> Iterator[TapeCall]:
        assert isinstance(target.node, m.Function)
        if any(site is call for site, _ in region.via):
            return
        params = target.node.params
        method = is_method(target)
        meaning: dict[str, str] = {}
        for param in params[1:] if method else params:
            given = argument(call, params[1:] if method else params, param.name)
            text = dotted(given[0]) if given is not None and given[1] else None
            if text is not None:
                meaning[param.name] = _mapped(canonical(text, region.scope), region.meaning)
        if method and params and isinstance(call.func, m.Attr):
            meaning[params[0].name] = _mapped(dotted(call.func.value) or "?", region.meaning)
        inner = region._replace(scope=target.scope, meaning=meaning, via=(*region.via, (call, region.scope)))
        yield from self._block(target.node.body, inner, target.scope)


def _sources(call: m.Call, tapes: set[str]) -> m.Expr | None:
    """The variables of ``tape.gradient(loss, variables)`` or ``optimizer.minimize(loss, variables, tape=tape)``."""
    func = call.func
    if not isinstance(func, m.Attr):
        return None
    keywords = {arg.keyword: arg.value for arg in call.args if arg.keyword is not None}
    positional = [arg.value for arg in call.args if arg.keyword is None and not arg.star]
    if func.name in ("gradient", "jacobian") and isinstance(func.value, m.Name) and func.value.id in tapes:
        return keywords.get("sources") or (positional[1] if len(positional) > 1 else None)
    tape = keywords.get("tape")
    if func.name == "minimize" and isinstance(tape, m.Name) and tape.id in tapes:
        return keywords.get("var_list") or (positional[1] if len(positional) > 1 else None)
    return None


def _variables_of(node: m.Node) -> str | None:
    """``model`` of ``model.trainable_variables`` or ``model.get_trainable_weights()``."""
    if isinstance(node, m.Attr) and node.name in keras.VARIABLES:
        return dotted(node.value)
    if isinstance(node, m.Call) and isinstance(node.func, m.Attr):
        name = node.func.name
        return dotted(node.func.value) if "variables" in name or "weights" in name else None
    return None


def canonical(text: str, scope: Scope) -> str:
    """The dotted name with a local alias of its root undone: ``model`` after ``model = self.model``."""
    root, dot, rest = text.partition(".")
    bindings = scope.names.get(root, [])
    if len(bindings) == 1 and bindings[0].kind == "value":
        original = dotted(bindings[0].node)
        if original is not None and original != root:
            return f"{original}{dot}{rest}"
    return text


def _mapped(text: str, meaning: Mapping[str, str]) -> str:
    root, dot, rest = text.partition(".")
    return f"{meaning[root]}{dot}{rest}" if root in meaning else text


def _plain(target: Definition, text: str) -> bool:
    """Whether the call names the function itself (an object's ``call`` is the model, not a helper)."""
    return isinstance(target.node, m.Function) and target.node.name == text.rpartition(".")[2]


__all__ = ["TapeCall", "Tapes", "canonical"]
