"""Does a network behave differently in training and evaluation: which layers with a mode does it hold?"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import children
from bnlint.frameworks import torch as table
from bnlint.project.calls import Calls
from bnlint.project.names import Definition, External, Names, Value
from bnlint.project.scopes import Scope

ANY = "any"  # one of a module's networks, chosen by name: see registries
_ASKED_ONLY = ("isinstance", "issubclass", "hasattr", "type")


class Holding(NamedTuple):
    """What a network holds: `sensitive` yes, no or maybe; the first layer found, and whether one is a batch norm."""

    sensitive: Literal["yes", "no", "maybe"]
    layer: str = ""
    batch_norm: bool = False

    def __or__(self, other: object) -> "Holding":
        assert isinstance(other, Holding)
        sure = "yes" in (self.sensitive, other.sensitive)
        both = self.sensitive == other.sensitive == "no"
        verdict: Literal["yes", "no", "maybe"] = "yes" if sure else "no" if both else "maybe"
        norm = self if self.batch_norm or not other.batch_norm else other
        layer = norm.layer if norm.batch_norm else self.layer or other.layer
        return Holding(verdict, layer, self.batch_norm or other.batch_norm)


NOTHING = Holding("no")
UNKNOWN = Holding("maybe")


class Layers:
    """Holdings of classes and of functions that build networks, each looked at once."""

    def __init__(self, names: Names, calls: Calls) -> None:
        self.names = names
        self.calls = calls
        self._held: dict[tuple[str, int], Holding] = {}
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

    def _definition(self, made: Definition) -> Holding:
        if made.key not in self._held:
            self._held[made.key] = NOTHING  # a class that mentions itself adds nothing
            self._held[made.key] = self._look(made)
        return self._held[made.key]

    def _look(self, made: Definition) -> Holding:
        if isinstance(made.node, m.Function):
            return self._body(made)
        found = NOTHING
        for ancestor in self.names.ancestors(made):
            if isinstance(ancestor, Definition):
                found |= self._body(ancestor)
            elif ancestor.name in table.MODE_LAYERS:
                found |= Holding("yes", _last(ancestor.name), ancestor.name in table.BATCH_NORMS)
            elif not is_plain(ancestor.name):
                found |= UNKNOWN
        return found

    def _body(self, made: Definition) -> Holding:
        found = NOTHING
        for scope in self._scopes_below(made.scope):
            for node in _mentions(scope.block):
                found |= self._mention(node, scope)
            for param in getattr(scope.node, "params", ()):
                if param.default is not None:
                    found |= self._mention(param.default, made.scope.parent or scope)
        return found

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
        key = (value.scope.path, -2 - value.expr.at)
        if key not in self._held:
            self._held[key] = NOTHING
            self._held[key] = self.of_expression(value.expr, value.scope)
        return self._held[key]

    def _own(self, meaning: Definition, *, call: m.Call | None) -> Holding:
        if isinstance(meaning.node, m.Class):
            return self._definition(meaning) if self.is_module(meaning) else NOTHING
        builds = call is not None and not _is_plain_helper(meaning)
        return self._definition(meaning) if builds else NOTHING


def external(name: str, call: m.Call | None) -> Holding:
    """What something outside the project holds, by its full name."""
    if name in table.MODE_LAYERS:
        off = call is not None and table.MODE_LAYERS[name] == "dropout" and _is_zero(call, 0, "p")
        return NOTHING if off else Holding("yes", _last(name), name in table.BATCH_NORMS)
    if name in table.INSTANCE_NORMS:
        tracks = call is not None and any(a.keyword == "track_running_stats" and _truth(a.value) for a in call.args)
        return Holding("yes", _last(name)) if tracks else NOTHING
    if name in table.ALWAYS_ON_DROPOUTS or name in table.FUNCTIONAL_BATCH_NORM:
        return Holding("yes", f"F.{_last(name)}", "batch_norm" in name)
    if name.startswith("torch.nn.") and _last(name) in table.DROPOUT_ARGUMENT:
        return _with_dropout_argument(name, call)
    if name.startswith("torch."):
        return _hub(name)
    zoo = zoo_of(name)
    if zoo is not None:
        known = "" if _last(name) == ANY else _last(name)
        return Holding("yes", known, zoo.holds) if zoo.holds else UNKNOWN
    return UNKNOWN if call is not None and _last(name)[:1].isupper() and not is_plain(name) else NOTHING


def zoo_of(name: str) -> table.Zoo | None:
    """The zoo that a function comes from; None for those that make no network."""
    last = _last(name)
    if last in table.NOT_NETWORKS or last.endswith("_Weights"):
        return None
    fitting = [zoo for zoo in table.ZOOS if name.startswith(zoo.prefix)]
    zoo = max(fitting, key=lambda z: len(z.prefix), default=None)
    if zoo is not None and zoo.prefix == "transformers.":
        return zoo if ".from_pretrained" in name and not _is_no_model(name) else None
    return zoo


def _is_no_model(name: str) -> bool:
    return any(word in name for word in ("Tokenizer", "Processor", "Config", "FeatureExtractor"))


def _hub(name: str) -> Holding:
    return UNKNOWN if name in {"torch.hub.load", "torch.load", "torch.jit.load"} else NOTHING


def _with_dropout_argument(name: str, call: m.Call | None) -> Holding:
    position, default = table.DROPOUT_ARGUMENT[_last(name)]
    given: m.Expr | None = None
    if call is not None:
        given = next((a.value for a in call.args if a.keyword == "dropout"), None)
        plain = [a for a in call.args if a.keyword is None and not a.star]
        given = plain[position].value if given is None and len(plain) > position else given
    if given is None:
        return Holding("yes", _last(name)) if default else NOTHING
    return NOTHING if isinstance(given, m.Const) and not given.value else Holding("yes", _last(name))


def is_module_name(name: str) -> bool:
    """Whether a class of this full name is a torch module."""
    if name in table.MODULE_BASES or name in table.MODE_LAYERS or name.startswith("torch.nn.modules."):
        return True
    if name.startswith("torch.nn."):
        return _last(name)[:1].isupper() and "." not in name.removeprefix("torch.nn.")
    return _last(name) in {"LightningModule", "PreTrainedModel", "BaseModule"} or zoo_of(name) is not None


def is_plain(name: str) -> bool:
    """Whether what has this name certainly holds nothing with a mode: torch's own other layers, builtins."""
    return name.startswith(("torch.", "abc.", "typing.", "collections.", "math.", "numpy.", "argparse.", "pathlib."))


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


def _is_zero(call: m.Call, position: int, keyword: str) -> bool:
    plain = [a for a in call.args if a.keyword is None]
    given = next((a.value for a in call.args if a.keyword == keyword), None)
    if given is None and len(plain) > position:
        given = plain[position].value
    return isinstance(given, m.Const) and given.value == 0 and given.value is not False


def _truth(expr: m.Expr) -> bool:
    return isinstance(expr, m.Const) and expr.value is True


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]
