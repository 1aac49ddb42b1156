"""What is known of objects beyond their mode: the class that made them, what they hold, the name a reader knows."""

from typing import TypeGuard
from zlib import crc32

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks.torch import HARMLESS, MODE_WORDS, MODULE_METHODS
from bnlint.project.calls import Calls
from bnlint.project.names import Definition, External, Names, Parameter
from bnlint.project.scopes import Scope
from bnlint.project.torch.families import Families
from bnlint.project.torch.layers import Layers
from bnlint.project.torch.outside import UNKNOWN, Holding, is_plain
from bnlint.project.torch.states import Loc, Locs
from bnlint.project.torch.words import parts

_MAX_DEPTH = 4
Maker = Definition | External | None


class Objects:
    """A register of the objects that are made anywhere in the project."""

    def __init__(self, names: Names, calls: Calls, layers: Layers) -> None:
        self.names = names
        self.calls = calls
        self.layers = layers
        self._makers: dict[Loc, tuple[Maker, m.Call, Scope]] = {}
        self._copies: dict[Loc, Locs] = {}
        self._words: dict[Loc, str] = {}
        self._again: dict[Loc, Loc] = {}
        self._keeping: dict[tuple[str, int], bool] = {}
        self._computing: dict[tuple[str, int], bool] = {}
        self.families = Families(names)

    def remember(self, loc: Loc, maker: Maker, call: m.Call, scope: Scope) -> None:
        """An object was made by a call."""
        self._makers[loc] = (maker, call, scope)

    def remember_copy(self, loc: Loc, source: Locs) -> None:
        """An object is a copy of another."""
        self._copies[loc] = source

    def made_again(self, loc: Loc, path: str, at: int, variant: str = "") -> Loc:
        """An object made inside of a function is another one for each call of the function."""
        again = Loc("new", f"{crc32(f'{loc.name}|{loc.path}|{loc.at}{variant}'.encode()):08x}", path, at)
        if loc in self._makers:
            self._makers[again] = self._makers[loc]
        if loc in self._copies:
            self._copies[again] = self._copies[loc]
        self._again[again] = loc
        return again

    def name_of(self, locs: Locs, name: str) -> None:
        """An object got a name; the first is kept."""
        for loc in locs:
            if loc.kind == "new":
                self._words.setdefault(loc, name)

    def words(self, loc: Loc) -> str:
        """The object as a reader knows it."""
        if loc.kind == "field" and loc.parent is not None:
            inner = self.words(loc.parent)
            return f"{inner}{loc.name}" if loc.name.startswith("[") else f"{inner}.{loc.name}"
        if loc not in self._words and loc in self._again:
            return self.words(self._again[loc])
        return self._words.get(loc) or ("the network" if loc.kind == "new" else loc.words())

    # --- classes ---

    def class_of(self, loc: Loc, scope: Scope | None) -> Maker:
        """The class (or outside maker) of an object; a parameter is one of the function whose scope is `scope`."""
        if loc in self._copies:
            sources = self._copies[loc]
            return self.class_of(min(sources), scope) if sources else None
        if loc.kind == "new":
            return self._makers[loc][0] if loc in self._makers else None
        if loc.kind == "param" and scope is not None:
            return self._parameter(loc.name, scope)
        if loc.kind == "field" and loc.parent is not None:
            return self._field(loc, scope)
        return None

    def _parameter(self, name: str, scope: Scope) -> Maker:
        cls = self.names.class_of(scope)
        node = scope.node
        if not isinstance(node, m.Function):
            return None
        if cls is not None and node.params and node.params[0].name == name and scope.parent is cls.scope:
            return cls
        annotation = next((p.annotation for p in node.params if p.name == name), None)
        meaning = self.names.resolve(annotation, scope) if annotation is not None else None
        if isinstance(meaning, Definition) and isinstance(meaning.node, m.Class):
            return meaning
        return None

    def _field(self, loc: Loc, scope: Scope | None) -> Maker:
        assert loc.parent is not None
        owner = self.class_of(loc.parent, scope)
        if not isinstance(owner, Definition) or not isinstance(owner.node, m.Class):
            return None
        values = self.names.attribute_values(owner, loc.name)
        found = [self.calls.instance(v.expr, v.scope) for v in values if not isinstance(v.expr, m.Const)]
        known = [kind for kind in found if kind is not None]
        return known[0] if known and all(kind == known[0] for kind in known) else None

    def method(self, owners: Locs, name: str, scope: Scope) -> Definition | None:
        """A method of the project that a call on these objects means."""
        for owner in sorted(owners):
            cls = self.class_of(owner, scope)
            if isinstance(cls, Definition) and isinstance(cls.node, m.Class):
                found = self.names.method(cls, name)
                if found is not None:
                    return self.families.filled_in(cls, found)
        return None

    def caller_of(self, owners: Locs, scope: Scope) -> Definition | None:
        """What ``predictor(x)`` runs, where the object is no network: the ``__call__`` of its class."""
        own = self.method(owners, "__call__", scope)
        cls = self.names.class_of(own.scope) if own is not None else None
        return own if cls is not None and not self.layers.is_module(cls) else None

    def may_be_module(self, owners: Locs, scope: Scope) -> bool:
        """Whether ``train()`` and ``eval()`` of these objects may be the mode switches of torch."""
        classes = [self.class_of(owner, scope) for owner in owners]
        known = [cls for cls in classes if isinstance(cls, Definition) and isinstance(cls.node, m.Class)]
        return all(self.layers.is_module(cls) for cls in known)

    def is_part(self, owners: Locs, name: str, scope: Scope) -> bool:
        """Whether ``owner.name(x)`` calls an attribute that holds an object, and not a method."""
        for owner in owners:
            cls = self.class_of(owner, scope)
            known = isinstance(cls, Definition) and isinstance(cls.node, m.Class) and name not in MODULE_METHODS
            if known and (self.names.attribute_values(cls, name) or not parts(name) & MODE_WORDS):  # type: ignore[arg-type]
                return True
        return False

    def overrides_train(self, loc: Loc, scope: Scope | None) -> bool:
        """Whether the object's class has a ``train`` of its own (or is not known, so that it may have one)."""
        cls = self.class_of(loc, scope)
        if isinstance(cls, Definition) and isinstance(cls.node, m.Class):
            return self.names.method(cls, "train") is not None
        return False

    def computes(self, method: Definition, depth: int = 0) -> bool:
        """Whether a method of a network runs parts of it: ``self.encoder(x)``, or another such method; not ``self(x)``."""
        key = method.key
        if key not in self._computing:
            self._computing[key] = False
            self._computing[key] = depth < _MAX_DEPTH and self._looks_computing(method, depth)
        return self._computing[key]

    def _looks_computing(self, method: Definition, depth: int) -> bool:
        cls = self.names.class_of(method.scope)
        if cls is None or method.node.name in MODULE_METHODS or method.node.name.startswith("__"):
            return False
        for node in walk(method.node.body, into_scopes=False):
            func = node.func if isinstance(node, m.Call) else None
            if not isinstance(func, m.Attr) or not isinstance(func.value, m.Name) or func.value.id != "self":
                continue
            own = self.names.method(cls, func.name)
            if own is not None and func.name != "forward" and self.computes(own, depth + 1):
                return True
            if own is None and any(isinstance(v.expr, m.Call) for v in self.names.attribute_values(cls, func.name)):
                return True
        return False

    # --- what objects hold ---

    def holding_with(self, loc: Loc, parts: tuple[Loc, ...], scope: Scope | None) -> Holding:
        """What the object holds, with the objects it was given to hold."""
        found = self.holding(loc, scope)
        for part in parts if found.sensitive != "no" else ():
            held = self.holding(part, scope)
            if held.sensitive == "yes":
                found |= held
        return found

    def holding(self, loc: Loc, scope: Scope | None) -> Holding:
        """Layers with a mode that the object holds."""
        if loc in self._copies:
            sources = self._copies[loc]
            return self.holding(min(sources), scope) if sources else UNKNOWN
        if loc in self._makers:
            maker, call, home = self._makers[loc]
            return self._made(maker, call, home)
        cls = self.class_of(loc, scope)
        if cls is None and loc.kind == "field" and loc.parent is not None:
            return self._attribute(loc, scope)
        return self.layers.of(cls)

    def _made(self, maker: Maker, call: m.Call, home: Scope) -> Holding:
        if isinstance(maker, External) and maker.name.startswith("torch.nn."):
            found = self.layers.of_expression(call, home)
            return found | UNKNOWN if any(arg.star or self._is_open(arg.value, home) for arg in call.args) else found
        if isinstance(maker, Definition) and isinstance(maker.node, m.Class) and not self.layers.is_module(maker):
            return UNKNOWN
        if maker is None:
            return UNKNOWN
        found = self.layers.of(maker, call)
        if isinstance(maker, Definition) and found.sensitive == "no" and self._keeps_given(maker):
            return UNKNOWN
        outside = isinstance(maker, External) and not maker.name.startswith(HARMLESS) and not is_plain(maker.name)
        return UNKNOWN if outside and found.sensitive == "no" else found

    def _is_open(self, expr: m.Expr, scope: Scope) -> bool:
        """Whether a layer is given that the expression does not tell of: ``nn.Sequential(normalize, model)``."""
        return isinstance(expr, m.Name) and isinstance(self.names.resolve(expr, scope), Parameter | None)

    def _keeps_given(self, cls: Definition) -> bool:
        """Whether a network keeps, and calls, what it was given: ``self.net = net``."""
        if cls.key not in self._keeping:
            called = {node.func.name for node in walk(cls.node) if isinstance(node, m.Call) and _is_of_self(node.func)}
            self._keeping[cls.key] = any(
                isinstance(expr, m.Name) and isinstance(self.names.resolve(expr, scope), Parameter)
                for name in called
                for expr, scope in cls.scope.attributes.get(name, ())
            )
        return self._keeping[cls.key]

    def _attribute(self, loc: Loc, scope: Scope | None) -> Holding:
        """All that the attribute is ever given, taken together."""
        assert loc.parent is not None
        owner = self.class_of(loc.parent, scope)
        if not isinstance(owner, Definition) or not isinstance(owner.node, m.Class):
            return UNKNOWN
        values = [v for v in self.names.attribute_values(owner, loc.name) if not isinstance(v.expr, m.Const)]
        if not values:
            return UNKNOWN
        found = self.layers.of_expression(values[0].expr, values[0].scope)
        for value in values[1:]:
            found |= self.layers.of_expression(value.expr, value.scope)
        return found if found.sensitive == "yes" else UNKNOWN

    # --- functions ---

    def applied(self, function: m.Expr, scope: Scope) -> str:
        """What ``net.apply(function)`` does: "freezes" norms, "switches" modes, or "" nothing to modes."""
        meaning = self.names.resolve(function, scope)
        body = meaning.node if isinstance(meaning, Definition) else function
        switches = {n.name for n in walk(body) if isinstance(n, m.Attr) and n.name in {"eval", "train"}}
        switches |= {_set_to(n) for n in walk(body) if isinstance(n, m.Assign)} - {""}
        asks = any(
            (isinstance(n, m.Const) and isinstance(n.value, str) and "Norm" in n.value)
            or (isinstance(n, m.Attr | m.Name) and "Norm" in (n.name if isinstance(n, m.Attr) else n.id))
            for n in walk(body)
        )
        if not switches:
            return ""
        return "freezes" if switches == {"eval"} and asks else "switches"


def _is_of_self(func: m.Expr) -> TypeGuard[m.Attr]:
    return isinstance(func, m.Attr) and isinstance(func.value, m.Name) and func.value.id == "self"


def _set_to(node: m.Assign) -> str:
    """``m.training = False`` is a switch as well."""
    if not any(isinstance(target, m.Attr) and target.name == "training" for target in node.targets):
        return ""
    return "eval" if isinstance(node.value, m.Const) and node.value.value is False else "train"
