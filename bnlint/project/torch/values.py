"""Expressions → objects: which object a name, attribute, item or call is."""

from typing import Any

from bnlint.facts import model as m
from bnlint.facts.walk import dotted
from bnlint.frameworks import torch as table
from bnlint.project.names import Definition, External
from bnlint.project.scopes import Scope
from bnlint.project.torch.settling import Given, Known, settle
from bnlint.project.torch.states import NOBODY, Atom, Loc, Locs, State, capped
from bnlint.project.torch.words import parts


class Values:
    """Evaluates the expressions of one function against its present state."""

    def __init__(self, scope: Scope, machine: Any) -> None:
        self.scope = scope
        self.machine = machine
        self.path = scope.path
        self.state = State()
        self.variant = ""  # which of several classes a call may mean: each makes an object of its own
        self.given: Given = ()
        self.known: Known = {}

    # --- the parts that the floors above fill in ---

    def call(self, node: m.Call) -> Locs:
        """The object a call gives back, after its effects."""
        raise NotImplementedError

    # --- expressions ---

    def value(self, expr: m.Expr | None) -> Locs:
        """Objects an expression may be; evaluates the calls in it, in order."""
        return _TABLE[type(expr)](self, expr) if expr is not None else NOBODY

    def name(self, node: m.Name) -> Locs:
        """A variable: local, a parameter, or of a scope around this one."""
        if node.id in self.state.env:
            return self.state.env[node.id]
        hit = self.scope.lookup(node.id)
        if hit is None:
            return NOBODY
        home, bindings = hit
        if home is self.scope and home.parent is not None:
            return NOBODY
        if bindings[-1].kind in {"import", "function", "class"} or all(_is_literal(b.node) for b in bindings):
            return NOBODY
        return frozenset({Loc("outer", node.id, f"{home.path}:{home.qualname}")})

    def attribute(self, node: m.Attr) -> Locs:
        """An attribute; ``.module`` of a wrapper is the wrapped object, which is taken for the wrapper."""
        owners = self.value(node.value)
        if node.name in {"module", "_orig_mod"}:
            return owners
        return self.state.field(owners, node.name)

    def item(self, node: m.Item) -> Locs:
        """An item of a container."""
        owners = self.value(node.value)
        for key in node.keys:
            self.value(key)
        return self.state.field(owners, item_name(node.keys))

    def display(self, node: m.Seq) -> Locs:
        """A list or tuple: an object with items."""
        loc = Loc("new", "", self.path, node.at)
        self.state.heap.setdefault(loc, {})
        for index, item in enumerate(node.items):
            locs = self.value(item)
            if locs:
                self.state.hold(loc, f"[{index}]", locs)
        return frozenset({loc})

    def dictionary(self, node: m.Dict) -> Locs:
        """A dictionary: an object with items."""
        loc = Loc("new", "", self.path, node.at)
        for key, value in node.items:
            locs = self.value(value)
            if locs and key is not None:
                self.state.hold(loc, item_name((key,)), locs)
        return frozenset({loc})

    def choice(self, node: m.Choice) -> Locs:
        """Either of two."""
        self.value(node.test)
        truth = settle(node.test, self.known)
        if truth is not None:
            return self.value(node.then if truth else node.other)
        return capped(self.value(node.then) | self.value(node.other))

    def operation(self, node: m.Op) -> Locs:
        """Operands are evaluated; ``a or b`` may be either."""
        found = [self.value(arg) for arg in node.args]
        return capped(frozenset().union(*found)) if node.op in {"or", "and", "await"} and found else NOBODY

    def comprehension(self, node: m.Comp) -> Locs:
        """Its loops run once over any item; a list of objects is an object with items."""
        for loop in node.loops:
            self.bind(loop.target, self.state.field(self.value(loop.iter), "[]"))
            for test in loop.tests:
                self.value(test)
        items = [self.value(item) for item in node.items]
        loc = Loc("new", "", self.path, node.at)
        if items[-1]:
            self.state.hold(loc, "[]", items[-1])
        return frozenset({loc})

    def walrus(self, node: m.Walrus) -> Locs:
        """``name := value``."""
        locs = self.value(node.value)
        self.bind(node.target, locs)
        return locs

    def star(self, node: m.Star) -> Locs:
        """``*value``."""
        self.value(node.value)
        return NOBODY

    # --- binding ---

    def bind(self, target: m.Expr, locs: Locs) -> None:
        """Give a target its objects."""
        if isinstance(target, m.Name):
            self.state.env[target.id] = locs
            self.machine.name_of(locs, target.id)
        elif isinstance(target, m.Attr):
            locs = no_settings(locs)
            for owner in self.value(target.value):
                self.state.hold(owner, target.name, locs)
                self._forget_below(owner, target.name)
            self.machine.name_of(locs, dotted(target) or target.name)
        elif isinstance(target, m.Item):
            for owner in self.value(target.value):
                self.state.hold(owner, item_name(target.keys), locs)
        elif isinstance(target, m.Seq):
            for index, part in enumerate(target.items):
                self.bind(part, self.state.field(locs, f"[{index}]"))

    def _forget_below(self, owner: Loc, name: str) -> None:
        old = Loc("field", name, parent=owner)
        self.state.modes.forget(old)
        self.state.marks.pop(old, None)

    def made(self, node: m.Call, maker: Definition | External | None, mode: str) -> Locs:
        """A new object, made by this call."""
        loc = Loc("new", self.variant, self.path, node.at)
        self.machine.remember(loc, maker, node, self.scope)
        if mode == "unknown":
            self.state.modes.forget(loc)  # what is new and has no entry is unknown
        else:
            self.state.modes[loc] = frozenset({Atom(mode, self.path, node.at, "made", node.at)})  # type: ignore[arg-type]
        return frozenset({loc})


def item_name(keys: tuple[m.Expr, ...]) -> str:
    """``[0]`` or ``['G']`` for a constant key, ``[]`` for any other."""
    if len(keys) == 1 and isinstance(keys[0], m.Const):
        return f"[{keys[0].value!r}]"
    return "[]"


def _is_literal(expr: Any) -> bool:
    """``CLASSES = 10`` holds no network."""
    return isinstance(expr, m.Const) and expr.value is not None


def no_settings(locs: Locs) -> Locs:
    """What may be kept as a part of something."""
    return frozenset(loc for loc in locs if not _is_setting(loc))


def _is_setting(loc: Loc) -> bool:
    """``args``, ``config.width``: a setting, hardly a network."""
    root = loc.root()
    return root.kind in {"param", "outer"} and root.name in table.SETTINGS and not parts(loc.name) & table.NETWORKS


def _nothing(_values: Values, _node: Any) -> Locs:
    return NOBODY


_TABLE: dict[type, Any] = {
    m.Name: Values.name,
    m.Attr: Values.attribute,
    m.Item: Values.item,
    m.Seq: Values.display,
    m.Dict: Values.dictionary,
    m.Choice: Values.choice,
    m.Op: Values.operation,
    m.Comp: Values.comprehension,
    m.Walrus: Values.walrus,
    m.Star: Values.star,
    m.Const: _nothing,
    m.Lambda: _nothing,
    m.Call: lambda values, node: values.call(node),
}
