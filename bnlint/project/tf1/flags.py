"""What a training flag can be: constants and defaults through wrappers and their callers, placeholders, modes."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import dotted, walk
from bnlint.project.calls import Calls, Passed, Site, is_method
from bnlint.project.names import Definition, Parameter, Value
from bnlint.project.scopes import Scope
from bnlint.project.tf1.words import Words

_MAX_DEPTH = 10
_MAX_CALLERS = 60


class Flag(NamedTuple):
    """The values a flag can take: `true`, `false` as constants, `varies` when fed, computed or given from outside.

    `left` are the calls that leave a wrapper's flag to its default, with that default's value.
    """

    true: bool = False
    false: bool = False
    varies: bool = False
    left: tuple[tuple[Site, bool], ...] = ()

    def __or__(self, other: object) -> "Flag":
        assert isinstance(other, Flag)
        return Flag(
            self.true or other.true, self.false or other.false, self.varies or other.varies, self.left + other.left
        )

    @property
    def can_train(self) -> bool:
        """Whether the norm can be in training mode."""
        return self.true or self.varies

    @property
    def can_infer(self) -> bool:
        """Whether the norm can be in inference mode."""
        return self.false or self.varies


TRUE, FALSE, VARIES, NOTHING = Flag(true=True), Flag(false=True), Flag(varies=True), Flag()


class Flags:
    """Evaluates flags; what callers in the files `without` give does not count."""

    def __init__(self, calls: Calls, words: Words, without: frozenset[str] = frozenset()) -> None:
        self.calls = calls
        self.words = words
        self.without = without
        self._seen: set[tuple[str, int, str]] = set()
        self._decided: dict[int, list[tuple[str, bool, frozenset[int]]]] = {}

    def of(self, expr: m.Expr, scope: Scope, depth: int = 0) -> Flag:
        """Values that `expr` can take as a flag."""
        key = (scope.path, expr.at, scope.qualname)
        if depth > _MAX_DEPTH or key in self._seen:
            return VARIES if depth > _MAX_DEPTH else NOTHING
        self._seen.add(key)
        try:
            return self._of(expr, scope, depth + 1)
        finally:
            self._seen.discard(key)

    def _of(self, expr: m.Expr, scope: Scope, depth: int) -> Flag:
        if isinstance(expr, m.Const):
            return TRUE if expr.value else FALSE
        if isinstance(expr, m.Op) and expr.op == "not" and len(expr.args) == 1:
            inner = self.of(expr.args[0], scope, depth)
            return Flag(inner.false, inner.true, inner.varies)
        if isinstance(expr, m.Op) and expr.op == "and" and any(_frozen_unless_asked(part) for part in expr.args):
            return FALSE
        if isinstance(expr, m.Choice):
            return self.of(expr.then, scope, depth) | self.of(expr.other, scope, depth)
        if isinstance(expr, m.Call):
            return self._made(expr, scope, depth)
        if isinstance(expr, m.Name | m.Attr) and (sure := self._under_test(expr, scope)) is not None:
            return TRUE if sure else FALSE
        if isinstance(expr, m.Name):
            return self._name(expr, scope, depth)
        if isinstance(expr, m.Attr):
            return self._attribute(expr, scope, depth)
        return VARIES

    def _under_test(self, expr: m.Expr, scope: Scope) -> bool | None:
        """What a flag is where ``if is_training:`` around it has asked already."""
        if not isinstance(scope.node, m.Function):
            return None
        if id(scope) not in self._decided:
            self._decided[id(scope)] = list(_decided(scope))
        if not self._decided[id(scope)]:
            return None
        name = dotted(expr)
        return next(
            (value for text, value, below in self._decided[id(scope)] if text == name and expr.at in below), None
        )

    def _made(self, call: m.Call, scope: Scope, depth: int) -> Flag:
        name = self.words.name(call.func, scope)
        tail = self.words.tail(call)
        if call.args and (name in ("tensorflow.constant", "tensorflow.convert_to_tensor") or tail == "bool"):
            return self.of(call.args[0].value, scope, depth)
        return VARIES

    def _name(self, expr: m.Name, scope: Scope, depth: int) -> Flag:
        meaning = self.calls.names.resolve(expr, scope)
        if isinstance(meaning, Parameter):
            return self.parameter(meaning, depth)
        if isinstance(meaning, Value):
            return self.of(meaning.expr, meaning.scope, depth)
        hit = scope.lookup(expr.id)
        if meaning is None and hit is not None and all(b.kind == "value" for b in hit[1]):
            return self._any([Value(b.node, hit[0]) for b in hit[1]], depth)
        return VARIES

    def _attribute(self, expr: m.Attr, scope: Scope, depth: int) -> Flag:
        meaning = self.calls.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            return self.of(meaning.expr, meaning.scope, depth)
        owner = self.calls.instance(expr.value, scope)
        values = self.calls.names.attribute_values(owner, expr.name) if isinstance(owner, Definition) else []
        return self._any(values, depth) if values else VARIES

    def _any(self, values: list[Value], depth: int) -> Flag:
        found = NOTHING
        for value in values[:_MAX_CALLERS]:
            found |= self.of(value.expr, value.scope, depth)
        return found

    # --- parameters ---

    def parameter(self, meaning: Parameter, depth: int = 0) -> Flag:
        """Values that callers give to a parameter; without any known caller it is given from outside."""
        owner = meaning.scope.node
        if not isinstance(owner, m.Function) or meaning.param.kind in ("*", "**"):
            return VARIES
        function = Definition(owner, meaning.scope)
        given = self.calls.passed(function, meaning.param.name) or self._by_word(function, meaning.param.name)
        if not given:
            return VARIES
        found = NOTHING
        for passed in [one for one in given if one.site.scope.path not in self.without][:_MAX_CALLERS]:
            if not passed.known:
                found |= VARIES
            elif passed.value is None:
                found |= VARIES  # a required argument that a caller gives in a way that is not seen
            elif passed.explicit:
                found |= self.of(passed.value.expr, passed.value.scope, depth)
            else:
                default = self.of(passed.value.expr, passed.value.scope, depth)
                found |= default._replace(left=((passed.site, default.true),))
        return found

    def _by_word(self, function: Definition, name: str) -> list[Passed]:
        """What calls of a method by its name give, if no object is known to be of its class: ``(self.feed(…).norm(…))``.

        A decorator may give some arguments itself, so only a keyword, or nothing at all, is sure.
        """
        assert isinstance(function.node, m.Function)
        if not is_method(function) or function.node.name.startswith("__"):
            return []
        default = next((p.default for p in function.node.params if p.name == name), None)
        found: list[Passed] = []
        for site in self.calls.by_word.get(function.node.name, ()):
            value = next((arg.value for arg in site.call.args if arg.keyword == name), None)
            hidden = value is None and any(arg.star or arg.keyword is None for arg in site.call.args)
            if value is not None:
                found.append(Passed(Value(value, site.scope), site, explicit=True))
            elif hidden or default is None:
                found.append(Passed(None, site, explicit=True, known=False))
            else:
                found.append(Passed(Value(default, function.scope.parent or function.scope), site, explicit=False))
        return found


def _decided(scope: Scope) -> Iterator[tuple[str, bool, frozenset[int]]]:
    """Names that an ``if`` of a function asks for: the value in each branch, and the records of that branch."""
    for node in scope.own:
        if not isinstance(node, m.If):
            continue
        test, met = node.test, True
        while isinstance(test, m.Op) and test.op == "not":
            test, met = test.args[0], not met
        parts = test.args if isinstance(test, m.Op) and test.op == "and" and met else (test,)
        for part in parts:
            name = dotted(part) if isinstance(part, m.Name | m.Attr) else None
            if name is None:
                continue
            yield name, met, frozenset(below.at for below in walk(node.body))
            if len(parts) == 1:
                yield name, not met, frozenset(below.at for below in walk(node.orelse))


def _frozen_unless_asked(expr: m.Expr) -> bool:
    """``trainable and is_training``: a backbone that is frozen unless somebody asks for more."""
    name = expr.id if isinstance(expr, m.Name) else expr.name if isinstance(expr, m.Attr) else ""
    return "trainable" in name or "finetune" in name or "fine_tune" in name
