"""Does a network behave differently in training and evaluation: which layers with a mode does it hold?"""

from collections.abc import Iterator
from typing import Any

from bnlint.facts import model as m
from bnlint.facts.walk import children
from bnlint.frameworks import torch as table
from bnlint.project.calls import Calls
from bnlint.project.names import Definition, External, Names, Parameter, Value
from bnlint.project.scopes import Scope
from bnlint.project.torch.outside import NOTHING, UNKNOWN, Holding, external, is_module_name, is_plain, last_name

_CALLERS = 8  # of a class, looked at for what they give to a parameter
_HANDED_ON = 4  # times that an argument may be another parameter
_ASKED_ONLY = ("isinstance", "issubclass", "hasattr", "type")


class Layers:
    """Holdings of classes and of functions that build networks, each looked at once."""

    def __init__(self, names: Names, calls: Calls) -> None:
        self.names = names
        self.calls = calls
        self._held: dict[tuple[str, int, bool], Holding] = {}
        self._variables: dict[tuple[str, int], Holding] = {}
        self._parameters: dict[tuple[str, int], Holding] = {}
        self._module: dict[tuple[str, int], bool] = {}

    def is_module(self, cls: Definition) -> bool:
        """Whether a class of the project derives from torch's Module (through any of its bases)."""
        if cls.key not in self._module:
            self._module[cls.key] = any(
                isinstance(base, External) and is_module_name(base.name) for base in self.names.ancestors(cls)
            )
        return self._module[cls.key]

    def of(self, maker: Definition | External | None, call: m.Call | None = None) -> Holding:
        """What an object holds that was made by this class or function."""
        if isinstance(maker, External):
            return external(maker.name, call)
        return UNKNOWN if maker is None else self._definition(maker)

    def of_expression(self, expr: m.Expr, scope: Scope) -> Holding:
        """What the expression that builds a network mentions."""
        found = NOTHING
        for node in _mentions(expr):
            found |= self._mention(node, scope)
        return found

    def _definition(self, made: Definition, *, handed: bool = False) -> Holding:
        key = (*made.key, handed)
        if key not in self._held:
            self._held[key] = NOTHING  # a class that mentions itself adds nothing
            self._held[key] = self._look(made, handed)
        return self._held[key]

    def _look(self, made: Definition, handed: bool) -> Holding:
        if isinstance(made.node, m.Function):
            return self._body(made, handed)
        found = NOTHING
        for ancestor in self.names.ancestors(made):
            if isinstance(ancestor, Definition):
                found |= self._body(ancestor, handed)
            elif ancestor.name in table.MODE_LAYERS:
                found |= Holding("yes", last_name(ancestor.name), ancestor.name in table.BATCH_NORMS)
            elif not is_plain(ancestor.name):
                found |= UNKNOWN
        return found

    def _body(self, made: Definition, handed: bool) -> Holding:
        found = NOTHING
        for scope in self._scopes_below(made.scope):
            for node in _mentions(scope.block):
                found |= self._mention(node, scope)
            for param in getattr(scope.node, "params", ()):
                if param.default is not None:
                    found |= self._defaulted(param, scope, made.scope.parent or scope, handed)
        return found

    def _defaulted(self, param: m.Param, scope: Scope, home: Scope, handed: bool) -> Holding:
        """``norm=nn.BatchNorm2d``: a layer, unless every caller gives something and none of it is known to be one.

        Who calls a class that is `handed` on (``block=Block``) is not known, nor what is given to it.
        """
        assert param.default is not None
        held, function = self._mention(param.default, home), self.calls.function_of(scope)
        if held.sensitive != "yes" or function is None:
            return held
        passed = self.calls.passed(function, param.name)
        if not passed or any(not one.explicit or not one.known for one in passed):
            return UNKNOWN if handed and not passed else held
        given = (self._argument(one.value.expr, one.value.scope) for one in passed[:_CALLERS] if one.value is not None)
        return held if any(one.sensitive == "yes" for one in given) else UNKNOWN

    def _argument(self, expr: m.Expr, scope: Scope) -> Holding:
        """What an argument holds; a parameter that is handed on holds its default."""
        for _ in range(_HANDED_ON):
            if isinstance(expr, m.Call):
                return self.of_expression(expr, scope)
            meaning = self.names.resolve(expr, scope)
            if isinstance(meaning, Parameter) and meaning.param.default is not None:
                return self._handed_on(meaning.param, meaning.scope)
            if isinstance(meaning, Value):
                expr, scope = meaning.expr, meaning.scope
            else:
                break
        return self._mention(expr, scope)

    def _handed_on(self, param: m.Param, scope: Scope) -> Holding:
        assert param.default is not None
        key = (scope.path, param.default.at)
        if key not in self._parameters:
            self._parameters[key] = UNKNOWN  # a function that calls itself
            self._parameters[key] = self._defaulted(param, scope, scope.parent or scope, False)
        return self._parameters[key]

    def _scopes_below(self, scope: Scope) -> Iterator[Scope]:
        yield scope
        for other in self.names.scopes(scope.path).values():
            if other.parent is scope and not isinstance(other.node, m.Class):
                yield from self._scopes_below(other)

    def _mention(self, node: m.Expr, scope: Scope) -> Holding:
        func = node.func if isinstance(node, m.Call) else node
        meaning = self.names.resolve(func, scope)
        call = node if isinstance(node, m.Call) else None
        if isinstance(meaning, External):
            return external(meaning.name, call)
        if isinstance(meaning, Definition):
            return self._own(meaning, call=call)
        if isinstance(meaning, Value) and call is None:
            return self._variable(meaning)
        unknown = call is not None and _looks_like_layer(func) and not self._is_own_attribute(func, scope)
        return self._one_of(func, scope) if unknown else NOTHING

    def _one_of(self, func: m.Expr, scope: Scope) -> Holding:
        """``batch_norm = SyncBN`` in a try and ``batch_norm = nn.BatchNorm2d`` in its except: a batch norm either way."""
        hit = scope.lookup(func.id) if isinstance(func, m.Name) else None
        values = [b.node for b in hit[1] if b.kind == "value"] if hit is not None else []
        known = [self.names.resolve(value, hit[0]) for value in values] if hit is not None else []
        outside = [one.name for one in known if isinstance(one, External)]
        held = [external(name, None) for name in outside if name in table.MODE_LAYERS]
        plain = any(is_plain(name) for name in outside if name not in table.MODE_LAYERS)
        sure = hit is not None and len(values) == len(hit[1]) and not plain
        return held[0] if sure and held and not any(isinstance(one, Definition) for one in known) else UNKNOWN

    def _is_own_attribute(self, func: m.Expr, scope: Scope) -> bool:
        """``self.layer1(x)``: what it holds was looked at where it was assigned."""
        cls = self.names.class_of(scope)
        if cls is None or not (isinstance(func, m.Attr) and isinstance(func.value, m.Name) and func.value.id == "self"):
            return False
        values = self.names.attribute_values(cls, func.name)
        return bool(values) and all(isinstance(value.expr, m.Call) for value in values)

    def _variable(self, value: Value) -> Holding:
        """What the expression holds that a variable was given; looked at once."""
        key = (value.scope.path, value.expr.at)
        if key not in self._variables:
            self._variables[key] = NOTHING
            self._variables[key] = self.of_expression(value.expr, value.scope)
        return self._variables[key]

    def _own(self, meaning: Definition, *, call: m.Call | None) -> Holding:
        if isinstance(meaning.node, m.Class):
            return self._definition(meaning, handed=call is None) if self.is_module(meaning) else NOTHING
        builds = call is not None and not _is_plain_helper(meaning)
        return self._definition(meaning) if builds else NOTHING


def _mentions(root: Any) -> Iterator[m.Expr]:
    """Calls, and names and attributes that stand alone, without nested scopes and without what is only asked about."""
    stack = [root] if hasattr(root, "at") else list(reversed(children(root)))
    while stack:
        node = stack.pop()
        if isinstance(node, m.Function | m.Class):
            continue
        if isinstance(node, m.Call):
            if isinstance(node.func, m.Name) and node.func.id in _ASKED_ONLY:
                continue
            yield node
            stack.extend(reversed([arg.value for arg in node.args]))
            if not isinstance(node.func, m.Name):
                stack.extend(reversed(children(node.func)))
        elif isinstance(node, m.Name):
            yield node
        elif isinstance(node, m.Attr):
            yield node
            if not isinstance(node.value, m.Name | m.Attr):
                stack.append(node.value)
        else:
            stack.extend(reversed(children(node)))


def _looks_like_layer(func: m.Expr) -> bool:
    """A call of something unknown that may make a layer: ``norm_layer(c)``, ``make_block(c)``."""
    last = func.name if isinstance(func, m.Attr) else func.id if isinstance(func, m.Name) else ""
    return any(
        word in last.lower()
        for word in ("layer", "norm", "block", "model", "net", "backbone", "encoder", "act", "build", "make", "create")
    )


def _is_plain_helper(function: Definition) -> bool:
    parent = function.scope.parent
    return parent is not None and isinstance(parent.node, m.Class)
