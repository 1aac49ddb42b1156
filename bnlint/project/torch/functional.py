"""Functional layers, which keep no mode themselves: is their flag given, and does it follow the module's mode?"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import dotted, walk
from bnlint.frameworks import torch as table
from bnlint.project.calls import Calls
from bnlint.project.names import Definition, External, Names, Parameter, Value
from bnlint.project.scopes import Scope
from bnlint.project.torch.layers import Layers
from bnlint.project.torch.words import Vocabulary

Flag = Literal["missing", "constant", "given", "unknown"]


class Use(NamedTuple):
    """A call of a functional layer; `in_module` is the class of the method around it, if that is a torch module.

    `apart` says that it is a class which certainly is none: its objects have no mode to follow.
    """

    call: m.Call
    scope: Scope
    name: str
    flag: Flag
    in_module: Definition | None
    apart: bool = False


class Functional:
    """Calls of functional dropout, batch norm and attention, file by file."""

    def __init__(self, names: Names, calls: Calls, layers: Layers, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.names = names
        self.calls = calls
        self.layers = layers

    def dropouts(self, file: m.FileFacts) -> Iterator[Use]:
        """Functional dropouts that are on unless told otherwise."""
        yield from self._uses(file, table.ALWAYS_ON_DROPOUTS)

    def batch_norms(self, file: m.FileFacts) -> Iterator[Use]:
        """Calls of ``F.batch_norm``."""
        yield from self._uses(file, table.FUNCTIONAL_BATCH_NORM)

    def attentions(self, file: m.FileFacts) -> Iterator[Use]:
        """Calls of ``F.scaled_dot_product_attention`` in a module whose ``dropout_p`` does not look at the mode."""
        for call, scope, name in self._named(file, table.ATTENTION):
            module = self.module_around(scope)
            given = next((a.value for a in call.args if a.keyword == "dropout_p"), None)
            if module is not None and given is not None and self._is_plain_number(given, module):
                yield Use(call, scope, name, "missing", module)

    def module_around(self, scope: Scope) -> Definition | None:
        """The torch module whose method this is."""
        cls = self.names.class_of(scope)
        return cls if cls is not None and self.layers.is_module(cls) else None

    def statistics_are_own(self, use: Use) -> bool:
        """Whether the running statistics given to ``F.batch_norm`` are attributes of the module: they are meant to last."""
        plain = [a.value for a in use.call.args if a.keyword is None and not a.star]
        named = {a.keyword: a.value for a in use.call.args if a.keyword}
        mean = named.get("running_mean", plain[1] if len(plain) > 1 else None)
        return isinstance(mean, m.Attr) and isinstance(mean.value, m.Name) and mean.value.id == "self"

    def said_to_be_meant(self, use: Use, file: m.FileFacts) -> bool:
        """Whether the functions around a use, by name or no_grad, or a comment beside it say that it is meant."""
        scope: Scope | None = use.scope
        while scope is not None and scope.node is not None:
            if self.vocabulary.meant(getattr(scope.node, "name", "")) or self._never_trains(scope):
                return True
            scope = scope.parent
        return any(abs(c.at - use.call.at) < 12 and self.vocabulary.meant(c.text) for c in file.comments)

    def _never_trains(self, scope: Scope) -> bool:
        """Whether it is a function under ``@torch.no_grad()``: dropout there is asked for, it has no training to follow."""
        if not isinstance(scope.node, m.Function) or scope.parent is None:
            return False
        decorators = (d.func if isinstance(d, m.Call) else d for d in scope.node.decorators)
        return any(self.names.qualified(decorator, scope.parent) in table.NO_GRAD for decorator in decorators)

    def _uses(self, file: m.FileFacts, positions: dict[str, int]) -> Iterator[Use]:
        for call, scope, name in self._named(file, frozenset(positions)):
            flag = self._flag(call, positions[name])
            yield Use(call, scope, name, flag, self.module_around(scope), self._is_apart(scope))

    def _is_apart(self, scope: Scope) -> bool:
        cls = self.names.class_of(scope)
        return cls is not None and all(self._is_ours(one) for one in self.names.ancestors(cls))

    def _is_ours(self, cls: Definition | External) -> bool:
        """Whether a class is one of the project, and so are its bases, all of them known."""
        if isinstance(cls, External):
            return False
        assert isinstance(cls.node, m.Class)
        bases = [base.value for base in cls.node.bases if base.keyword is None]
        return len(self.names.bases(cls)) == sum(dotted(base) != "object" for base in bases)

    def _named(self, file: m.FileFacts, wanted: frozenset[str]) -> Iterator[tuple[m.Call, Scope, str]]:
        lasts = {name.rsplit(".", 1)[-1] for name in wanted}
        for scope in self.names.scopes(file.path).values():
            for node in scope.of(m.Call):
                if _may_be(node.func, lasts, scope):
                    name = self.names.qualified(node.func, scope)
                    if name in wanted and name is not None:
                        yield node, scope, name

    def _flag(self, call: m.Call, position: int) -> Flag:
        if any(a.star for a in call.args):
            return "unknown"
        given = next((a.value for a in call.args if a.keyword == "training"), None)
        plain = [a for a in call.args if a.keyword is None]
        if given is None and len(plain) > position:
            given = plain[position].value
        if given is None:
            return "missing"
        return "constant" if isinstance(given, m.Const) and given.value is True else "given"

    def _is_plain_number(self, expr: m.Expr, module: Definition) -> bool:
        """An attribute of the module that is only ever set in ``__init__``, to what the constructor was told."""
        if not (isinstance(expr, m.Attr) and isinstance(expr.value, m.Name) and expr.value.id == "self"):
            return False
        values = self.names.attribute_values(module, expr.name)
        return bool(values) and all(self._is_constructor_word(value) for value in values)

    def _is_constructor_word(self, value: Value) -> bool:
        if any(isinstance(n, m.Attr) and n.name == "training" for n in walk(value.expr)):
            return False
        if isinstance(value.expr, m.Const):
            return bool(value.expr.value)
        meaning = self.names.resolve(value.expr, value.scope)
        base = value.expr.value if isinstance(value.expr, m.Attr) else None  # config.dropout
        configured = base is not None and isinstance(self.names.resolve(base, value.scope), Parameter)
        return isinstance(meaning, Parameter) or configured


def _may_be(func: m.Expr, lasts: set[str], scope: Scope) -> bool:
    if isinstance(func, m.Attr):
        return func.name in lasts
    return isinstance(func, m.Name) and (func.id in lasts or scope.lookup(func.id) is not None)
