"""Whether a call of a Keras model says which mode it is meant in."""

from collections.abc import Iterator
from typing import Literal

from bnlint.facts import model as m
from bnlint.facts.walk import calls as calls_below
from bnlint.facts.walk import dotted
from bnlint.frameworks.keras import TRAINING_WORDS
from bnlint.project.calls import Calls, argument, is_method
from bnlint.project.kinds import Kinds
from bnlint.project.names import Definition
from bnlint.project.scopes import Scope

Said = Literal["said", "missing", "unclear"]


class Flags:
    """The training flag of calls."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.kinds = Kinds(calls)
        self._told: dict[str, frozenset[str]] = {}

    def said(self, call: m.Call, scope: Scope, *, skip: int = 0) -> Said:
        """Whether `call` says its mode: by keyword, by position, by the callee's default, or inside the callee.

        `skip` is the number of leading arguments that are not the model's own.
        """
        if any(arg.keyword in TRAINING_WORDS for arg in call.args):
            return "said"
        if any(arg.star for arg in call.args):
            return "unclear"
        target = self.calls.target(call, scope)
        if isinstance(target, Definition) and isinstance(target.node, m.Function):
            return self._by_signature(call, target)
        methods = [self.calls.names.method(cls, "call") for cls in self.kinds.of(call.func, scope)]
        answers = {self._by_signature(call, method) for method in methods if method is not None}
        if answers:
            if "missing" in answers and "unclear" not in answers:
                return "missing"  # one of several models that may be meant needs it
            return "said" if "said" in answers else "unclear"
        positional = sum(arg.keyword is None for arg in call.args) - skip
        return "missing" if positional <= 1 else "unclear"

    def _by_signature(self, call: m.Call, target: Definition) -> Said:
        assert isinstance(target.node, m.Function)
        params = target.node.params[1:] if is_method(target) else target.node.params
        if any(_says_train(inner) for inner in calls_below(target.node)):
            return "said"  # the layers are told inside
        for param in params:
            if param.name in TRAINING_WORDS:
                given = argument(call, params, param.name)
                default_on = isinstance(param.default, m.Const) and param.default.value is True
                return "unclear" if given is None else "said" if given[1] or default_on else "missing"
        positional = sum(arg.keyword is None for arg in call.args)
        return "missing" if positional <= max(1, len([p for p in params if p.default is None])) else "unclear"

    def told_elsewhere(self, call: m.Call, path: str) -> bool:
        """Whether the same file calls something of the same name with its mode: then the mode matters there."""
        if path not in self._told:
            self._told[path] = frozenset(self._told_in(path))
        name = dotted(call.func)
        return name is not None and name.rpartition(".")[2] in self._told[path]

    def _told_in(self, path: str) -> Iterator[str]:
        for site in self.calls.sites_in(path):
            name = dotted(site.call.func)
            if name is not None and any(arg.keyword == "training" for arg in site.call.args):
                yield name.rpartition(".")[2]


def _says_train(call: m.Call) -> bool:
    return any(
        arg.keyword in TRAINING_WORDS and isinstance(arg.value, m.Const) and arg.value.value is True
        for arg in call.args
    )
