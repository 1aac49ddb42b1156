"""Calls that give new running statistics back: linen ``apply``, haiku ``apply``, equinox models, and nnx under jit."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import calls as calls_below
from bnlint.facts.walk import walk
from bnlint.frameworks.jax import EVAL_FLAGS, TRAIN_FLAGS
from bnlint.project.calls import own_nodes
from bnlint.project.contents import UNKNOWN, Content, Contents
from bnlint.project.jax.differentiated import Differentiated
from bnlint.project.names import Definition, Value
from bnlint.project.scopes import Scope
from bnlint.project.slices import bound_names

_STATE = re.compile(r"state|stats|updat|mutable|mutated|variables|vars$|collections", re.IGNORECASE)
Kind = Literal["linen", "linen without mutable", "haiku", "equinox"]


class Update(NamedTuple):
    """A training call whose result holds new statistics at place 1 (or would, with ``mutable=``)."""

    call: m.Call
    scope: Scope
    kind: Kind
    sure: bool


class Updates:
    """Training calls that move statistics, file by file."""

    def __init__(self, contents: Contents, differentiated: Differentiated) -> None:
        self.contents = contents
        self.calls = contents.calls
        self.names = contents.names
        self.differentiated = differentiated

    def calls_in(self, path: str) -> Iterator[Update]:
        """Such calls of one file."""
        for site in self.calls.sites_in(path):
            update = self._apply(site.call, site.scope) or self._equinox(site.call, site.scope)
            if update is not None:
                yield update

    # --- linen and haiku ---

    def _apply(self, call: m.Call, scope: Scope) -> Update | None:
        name = (
            call.func.name if isinstance(call.func, m.Attr) else call.func.id if isinstance(call.func, m.Name) else ""
        )
        if name not in ("apply", "apply_fn") or not call.args or mode(call) is False:
            return None
        if isinstance(call.func, m.Attr) and self._is_haiku(call.func.value, scope):
            trains = mode(call) is True or self.differentiated.trains(scope)
            return Update(call, scope, "haiku", sure=True) if trains and self._grad(scope) else None
        mutable = next((arg.value for arg in call.args if arg.keyword == "mutable"), None)
        if mutable is not None and "batch_stats" in self._words(mutable, scope):
            return Update(call, scope, "linen", sure=True) if self._grad(scope) else None
        return self._without_mutable(call, scope, mutable)

    def _grad(self, scope: Scope) -> bool:
        return self.differentiated.trains(scope)

    def trains_it(self, update: Update) -> bool:
        """Whether the call is given what is differentiated; a critic that only judges is not to move."""
        node = update.scope.node
        if not isinstance(node, m.Function) or not update.call.args or not node.params:
            return True
        if not self.differentiated.gradients(Definition(node, update.scope)):
            return True
        given = update.call.args[0].value
        meaning = self.names.resolve(given, update.scope)
        if isinstance(meaning, Value):
            given = meaning.expr
        own = {p.name for p in node.params}
        return any(isinstance(part, m.Name) and part.id in own for part in walk(given))

    def _words(self, expr: m.Expr, scope: Scope) -> set[str]:
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            expr = meaning.expr
        return {n.value for n in walk(expr) if isinstance(n, m.Const) and isinstance(n.value, str)}

    def _is_haiku(self, receiver: m.Expr, scope: Scope) -> bool:
        meaning = self.names.resolve(receiver, scope)
        made = meaning.expr if isinstance(meaning, Value) else receiver
        home = meaning.scope if isinstance(meaning, Value) else scope
        if isinstance(made, m.Attr):
            owner = self.calls.instance(made.value, home)
            values = self.names.attribute_values(owner, made.name) if isinstance(owner, Definition) else []
            if len(values) == 1:
                made, home = values[0].expr, values[0].scope
        name = self.names.qualified(made.func, home) if isinstance(made, m.Call) else None
        return name == "haiku.transform_with_state" and self._has_norm(made, home)

    def _has_norm(self, made: m.Expr, scope: Scope) -> bool:
        assert isinstance(made, m.Call)
        content = self.contents.of(made.args[0].value, scope) if made.args else None
        if content is None or content.held:
            return content is not None
        function = self.names.resolve(made.args[0].value, scope)
        if not isinstance(function, Definition) or not isinstance(function.node, m.Function):
            return not content.known
        inside = [self.contents.of(call, function.scope) for call in calls_below(function.node)]
        return any(part.held for part in inside)

    def _without_mutable(self, call: m.Call, scope: Scope, mutable: m.Expr | None) -> Update | None:
        off = mutable is None or (isinstance(mutable, m.Const) and mutable.value is False)
        if not off or any(arg.star == "**" for arg in call.args):
            return None
        if mode(call) is not True and not (mutable is None and self._unpacked(call, scope)):
            return None
        direct = isinstance(call.func, m.Attr) and call.func.name == "apply"
        content = self.contents.of(call.func.value, scope) if direct and isinstance(call.func, m.Attr) else UNKNOWN
        if content.known and not _flax_norms(content):
            return None
        variables = self._words(call.args[0].value, scope)
        sure = bool(_flax_norms(content)) and content.sure
        if sure or "batch_stats" in variables:
            return Update(call, scope, "linen without mutable", sure=True)
        randomness = any(arg.keyword == "rngs" for arg in call.args)  # dropout is a reason for train=True, too
        if mode(call) is True and not randomness and self._norms_beside(scope.path):
            return Update(call, scope, "linen without mutable", sure=False)
        return None

    def _norms_beside(self, path: str) -> bool:
        """Whether every linen module of this file that takes a mode holds a batch norm, and there is one."""
        answers: list[bool] = []
        for scope in self.names.scopes(path).values():
            if not isinstance(scope.node, m.Class):
                continue
            cls = Definition(scope.node, scope)
            call = next((s for s in scope.node.body if isinstance(s, m.Function) and s.name == "__call__"), None)
            if call is not None and any(p.name in TRAIN_FLAGS for p in call.params):
                answers.append(bool(_flax_norms(self.contents.of_class(cls))))
        return bool(answers) and all(answers)

    def _unpacked(self, call: m.Call, scope: Scope) -> bool:
        """``logits, updates = model.apply(…)``: only with ``mutable=`` does apply give two things.

        A model may give two things by itself, so either it is being differentiated or the second is called a state.
        """
        if "batch_stats" not in self._words(call.args[0].value, scope):
            return False
        for node in own_nodes(scope):
            if isinstance(node, m.Assign) and node.value is call:
                target = node.targets[0]
                if not isinstance(target, m.Seq) or len(target.items) != 2:
                    return False
                second = target.items[1]
                return self._grad(scope) or (isinstance(second, m.Name) and _STATE.search(second.id) is not None)
        return False

    # --- equinox ---

    def _equinox(self, call: m.Call, scope: Scope) -> Update | None:
        vmap = call.func
        if not isinstance(vmap, m.Call) or len(call.args) < 2:
            return None
        name = self.names.qualified(vmap.func, scope) or ""
        if name not in ("jax.vmap", "equinox.filter_vmap") or not self._grad(scope):
            return None
        keywords = {arg.keyword: arg.value for arg in vmap.args}
        out = keywords.get("out_axes")
        if "axis_name" not in keywords or not isinstance(out, m.Seq) or len(out.items) != 2:
            return None
        second = out.items[1]
        state_out = isinstance(second, m.Const) and second.value is None
        return Update(call, scope, "equinox", sure=True) if state_out else None

    # --- nnx ---

    def lost_in_jit(self, path: str) -> Iterator[tuple[m.Call, Scope]]:
        """``nnx.merge`` in a function under plain ``jax.jit`` that trains the model and gives no state back."""
        for scope in self.names.scopes(path).values():
            if not isinstance(scope.node, m.Function) or not self._plain_jit(scope):
                continue
            calls = [node for node in own_nodes(scope) if isinstance(node, m.Call)]
            called = {self.names.qualified(call.func, scope) or "" for call in calls}
            if "flax.nnx.merge" not in called or not self._trains(scope, calls) or self._gives_back(scope):
                continue
            merged = next(c for c in calls if self.names.qualified(c.func, scope) == "flax.nnx.merge")
            if not _returns_bound(scope.node, merged):
                yield merged, scope

    def _gives_back(self, scope: Scope) -> bool:
        """Whether what is returned holds ``nnx.state(…)`` or ``nnx.split(…)``, or a name bound to one."""
        assert isinstance(scope.node, m.Function)
        names: set[str] = set()
        returned: list[m.Expr] = []
        for node in walk(scope.node, into_scopes=False):
            if isinstance(node, m.Assign) and node.value is not None and self._taken(node.value, scope):
                names.update(name for target in node.targets for name in bound_names(target))
            elif isinstance(node, m.Return) and node.value is not None:
                returned.append(node.value)
        read = {part.id for value in returned for part in walk(value) if isinstance(part, m.Name)}
        return bool(names & read) or any(self._taken(value, scope) for value in returned)

    def _taken(self, expr: m.Expr, scope: Scope) -> bool:
        taken = ("flax.nnx.split", "flax.nnx.state", "flax.nnx.pop", "flax.nnx.to_pure_dict")
        return any(self.names.qualified(call.func, scope) in taken for call in calls_below(expr))

    def _trains(self, scope: Scope, calls: list[m.Call]) -> bool:
        return any(self.differentiated.transform(call.func, scope) is not None for call in calls)

    def _plain_jit(self, scope: Scope) -> bool:
        assert isinstance(scope.node, m.Function)
        home = scope.parent or scope
        for decorator in scope.node.decorators:
            func = decorator.func if isinstance(decorator, m.Call) else decorator
            if (
                isinstance(decorator, m.Call)
                and self.names.qualified(func, home) == "functools.partial"
                and decorator.args
            ):
                func = decorator.args[0].value
            if self.names.qualified(func, home) == "jax.jit":
                return True
        return False


def _flax_norms(content: Content) -> bool:
    return any(held.kind == "norm" and held.name == "BatchNorm" for held in content.held)


def _returns_bound(function: m.Function, merged: m.Call) -> bool:
    """Whether a name bound from the merge is given back whole."""
    names = {
        target.id
        for node in walk(function, into_scopes=False)
        if isinstance(node, m.Assign) and node.value is merged
        for part in node.targets
        for target in walk(part)
        if isinstance(target, m.Name)
    }
    for node in walk(function, into_scopes=False):
        if isinstance(node, m.Return) and node.value is not None:
            items = node.value.items if isinstance(node.value, m.Seq) else (node.value,)
            if any(isinstance(item, m.Name) and item.id in names for item in items):
                return True
    return False


def mode(call: m.Call) -> bool | None:
    """The mode that a call states by a literal keyword: True for training, False for evaluation."""
    for arg in call.args:
        if not isinstance(arg.value, m.Const) or not isinstance(arg.value.value, bool):
            continue
        if arg.keyword in TRAIN_FLAGS:
            return arg.value.value
        if arg.keyword in EVAL_FLAGS:
            return not arg.value.value
    return None
