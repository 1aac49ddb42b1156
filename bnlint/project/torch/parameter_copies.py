"""Loops that write the parameters of one network into another, and what the program does with the written network."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import calls, dotted, walk
from bnlint.project.calls import Calls, argument, is_method, own_nodes
from bnlint.project.names import Definition, Names, Parameter, Value
from bnlint.project.scopes import Scope
from bnlint.project.torch.programs import Programs
from bnlint.project.torch.words import Vocabulary

_PARAMETERS = ("parameters", "named_parameters")
_BUFFERS = frozenset({"buffers", "named_buffers", "state_dict", "load_state_dict", "_buffers"})
UPDATES = frozenset(
    {"update_bn", "bn_update", "update_bn_stats", "precise_bn", "recalibrate_bn", "calibrate_bn", "reset_running_stats"}
)
_VIEWS = frozenset({"values", "items", "keys", "copy"})
_MAX_DEPTH = 4


class Network(NamedTuple):
    """A network by the expression that names it, where that stands."""

    expr: m.Expr
    scope: Scope


class Copy(NamedTuple):
    """A loop that writes the parameters of one network, `target`, from those of another."""

    loop: m.For
    scope: Scope
    target: Network
    source: Network


class ParameterCopies:
    """Searches for copies of parameters that leave the buffers behind."""

    def __init__(self, names: Names, calls: Calls, programs: Programs, vocabulary: Vocabulary) -> None:
        self.names = names
        self.calls = calls
        self.programs = programs
        self.vocabulary = vocabulary

    def without_buffers(self, file: m.FileFacts) -> Iterator[Copy]:
        """Copies whose function, class or callers never touch the buffers."""
        for scope in self.names.scopes(file.path).values():
            if isinstance(scope.node, m.Class | m.Lambda):
                continue
            for node in own_nodes(scope):
                copy = (self._pairs(node, scope) or self._keyed(node, scope)) if isinstance(node, m.For) else None
                if copy is not None and not self._touches_buffers(copy, file):
                    yield copy

    # --- the loop ---

    def _pairs(self, node: m.For, scope: Scope) -> Copy | None:
        """``for p, q in zip(a.parameters(), b.parameters())``, of the calls or of what was given them."""
        if not (isinstance(node.iter, m.Call) and dotted(node.iter.func) == "zip" and len(node.iter.args) == 2):
            return None
        first, second = (self._network(arg.value, scope) for arg in node.iter.args)
        if first is None or second is None or not isinstance(node.target, m.Seq) or len(node.target.items) != 2:
            return None
        one, two = (_last_name(item) for item in node.target.items)
        written = [_writes_to(node.body, one), _writes_to(node.body, two)]
        if written == [True, True]:  # a decay of the source as well: the target is what the other one flows into
            written = [_writes_to(node.body, one, of=two), _writes_to(node.body, two, of=one)]
        if written == [True, False]:
            return Copy(node, scope, first, second)
        return Copy(node, scope, second, first) if written == [False, True] else None

    def _keyed(self, node: m.For, scope: Scope) -> Copy | None:
        """``for name in a: a[name].copy_(b[name])`` of two dictionaries of named parameters."""
        if not isinstance(node.target, m.Name):
            return None
        items = [n for n in walk(node.body) if isinstance(n, m.Item) and _is_key(n, node.target.id)]
        held = {
            name: found
            for item in items
            if (name := dotted(item.value)) and (found := self._network(item.value, scope))
        }
        written = [name for name in held if _writes_to(node.body, name)]
        if len(held) != 2 or len(written) != 1:
            return None
        other = next(name for name in held if name != written[0])
        return Copy(node, scope, held[written[0]], held[other])

    def _network(self, expr: m.Expr, scope: Scope, depth: int = 0) -> Network | None:
        """The network whose parameters an expression collects."""
        if depth > _MAX_DEPTH:
            return None
        if isinstance(expr, m.Call):
            return self._of_call(expr, scope, depth + 1)
        if isinstance(expr, m.Name | m.Attr):
            value = self._value(expr, scope)
            return self._network(value.expr, value.scope, depth + 1) if value is not None else None
        return None

    def _of_call(self, call: m.Call, scope: Scope, depth: int) -> Network | None:
        if isinstance(call.func, m.Attr) and call.func.name in _PARAMETERS:
            return Network(call.func.value, scope)
        if isinstance(call.func, m.Attr) and call.func.name in _VIEWS and not call.args:
            return self._network(call.func.value, scope, depth)
        if dotted(call.func) in {"list", "dict", "tuple", "OrderedDict"} and len(call.args) == 1:
            return self._network(call.args[0].value, scope, depth)
        return None

    def _value(self, expr: m.Name | m.Attr, scope: Scope) -> Value | None:
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            return meaning
        owner = self.calls.instance(expr.value, scope) if isinstance(expr, m.Attr) else None
        values = (
            self.names.attribute_values(owner, expr.name)
            if isinstance(owner, Definition) and isinstance(expr, m.Attr)
            else []
        )
        return values[0] if len(values) == 1 else None

    # --- what else is done with the buffers ---

    def _touches_buffers(self, copy: Copy, file: m.FileFacts) -> bool:
        """The whole class (or function) is asked, and for a function that is given the network its file and its callers."""
        owner = copy.scope.enclosing_class() or copy.scope
        root = owner.node.body if isinstance(owner.node, m.Class | m.Function) else file.body
        if self.vocabulary.meant(getattr(owner.node, "name", "")):
            return True
        if copy.scope.enclosing_class() is None and self._parameter(copy.target) is not None:
            root = file.body
        return _touches(root) or any(self.uses_any(path, UPDATES) for path, _ in self._known_as(copy.target))

    def uses_any(self, path: str, words: frozenset[str]) -> bool:
        """Whether the program that `path` belongs to uses a function of one of these names; its definition is no use."""
        return any(_uses(node, words) for file in self.programs.files(path) for node in walk(file.body))

    # --- what becomes of the written network ---

    def evaluated(self, copy: Copy) -> tuple[str, int] | None:
        """Where the written network is put in eval mode: under its name, or by a function that it is given to."""
        found = (self._switched(path, name, "eval") for path, name in self._known_as(copy.target))
        return next((place for place in found if place is not None), None)

    def trained_mode(self, copy: Copy) -> bool:
        """Whether the written network is ever put in training mode, where it keeps statistics of its own."""
        known = set(self._known_as(copy.target))
        if isinstance(copy.target.expr, m.Attr):  # an heir in another file may train it
            name = _last(copy.target.expr) or ""
            known |= {(file.path, name) for file in self.programs.files(copy.scope.path)}
        return any(self._switched(path, name, "train") is not None for path, name in sorted(known))

    def _parameter(self, network: Network) -> Parameter | None:
        meaning = self.names.resolve(network.expr, network.scope) if isinstance(network.expr, m.Name) else None
        return meaning if isinstance(meaning, Parameter) else None

    def _known_as(self, network: Network, depth: int = 0) -> list[tuple[str, str]]:
        """Files and names of the network: where the loop stands, and what callers call it that give it."""
        name = _last(network.expr)
        own = [(network.scope.path, name)] if name is not None else []
        parameter = self._parameter(network)
        function = self.calls.function_of(parameter.scope) if parameter is not None and depth < _MAX_DEPTH else None
        if parameter is None or function is None:
            return own
        given = [p.value for p in self.calls.passed(function, parameter.param.name) if p.value is not None]
        callers = [self._known_as(Network(value.expr, value.scope), depth + 1) for value in given[:6]]
        return [*own, *(known for one in callers for known in one)]

    def _switched(self, path: str, name: str, mode: str) -> tuple[str, int] | None:
        for scope in self.names.scopes(path).values():
            for node in own_nodes(scope):
                if isinstance(node, m.Call):
                    if _is_switch(node, name, mode) or self._switches_inside(node, scope, name, mode):
                        return path, node.at
                elif mode == "eval" and isinstance(node, m.Assign) and any(_last(t) == name for t in node.targets):
                    call = next((c for c in calls(node) if _called(c) == "eval"), None)
                    if call is not None:
                        return path, call.at
        return None

    def _switches_inside(self, call: m.Call, scope: Scope, name: str, mode: str) -> bool:
        """Whether a function of the project that is given the network switches it."""
        if not any(_last(arg.value) == name for arg in call.args):
            return False
        target = self.calls.target(call, scope)
        if not isinstance(target, Definition) or not isinstance(target.node, m.Function):
            return False
        params = target.node.params[1:] if is_method(target) else target.node.params
        for param in params:
            given = argument(call, params, param.name)
            if given is not None and given[1] and given[0] is not None and _last(given[0]) == name:
                return any(_is_switch(inner, param.name, mode) for inner in calls(target.node.body))
        return False


def _uses(node: m.Node, words: frozenset[str]) -> bool:
    if isinstance(node, m.From):
        return any(alias.name in words and alias.asname is not None for alias in node.names)
    return (node.name if isinstance(node, m.Attr) else node.id if isinstance(node, m.Name) else "") in words


def _touches(root: m.Block) -> bool:
    """Whether statements speak of buffers, outside of functions that compute statistics anew."""
    for node in _outside_updates(root):
        name = node.name if isinstance(node, m.Attr) else node.id if isinstance(node, m.Name) else ""
        if name in UPDATES or "running_mean" in name or "batch_norm" in name:
            return True
        if name in _BUFFERS and not _only_saves(node, root):
            return True
        if isinstance(node, m.Const) and isinstance(node.value, str) and "running" in node.value:
            return True
    return False


def _outside_updates(root: m.Block) -> Iterable[m.Node]:
    if any(isinstance(statement, m.Function) and statement.name in UPDATES for statement in root):
        kept = (s for s in root if not (isinstance(s, m.Function) and ("bn" in s.name or "moment" in s.name)))
        return (node for statement in kept for node in walk(statement))
    return walk((root,))


def _only_saves(node: m.Node, root: object) -> bool:
    """A ``state_dict`` method of the class's own, or one that is only saved, copies no buffers between networks."""
    if not isinstance(node, m.Attr) or node.name != "state_dict":
        return False
    saves = (call for call in calls((root,)) if dotted(call.func) == "torch.save")
    return any(any(inner is node for inner in walk(call)) for call in saves)


def _writes_to(block: m.Block, name: str, of: str = "") -> bool:
    """Whether statements change the object `name` in place (``p.data = …``, ``p.data.mul_(…)``), with something `of` another."""
    for node in walk(block):
        if isinstance(node, m.Assign):
            for target in node.targets:
                if (
                    isinstance(target, m.Attr)
                    and target.name == "data"
                    and _root(target) == name
                    and _speaks(node.value, of)
                ):
                    return True
        method = node.func if isinstance(node, m.Call) and isinstance(node.func, m.Attr) else None
        if method is None or _root(method) != name or not method.name.endswith("_") or method.name == "requires_grad_":
            continue
        if _speaks(node, of):
            return True
    return False


def _speaks(expr: object, of: str) -> bool:
    return not of or any(isinstance(node, m.Name) and node.id == of for node in walk((expr,)))


def _root(expr: m.Expr) -> str | None:
    """The name at the beginning of ``p.data.mul_``, or of the dictionary in ``shadow[name].data.mul_``."""
    while isinstance(expr, m.Attr | m.Call):
        expr = expr.value if isinstance(expr, m.Attr) else expr.func
    return dotted(expr.value) if isinstance(expr, m.Item) else expr.id if isinstance(expr, m.Name) else None


def _is_key(item: m.Item, name: str) -> bool:
    return len(item.keys) == 1 and isinstance(item.keys[0], m.Name) and item.keys[0].id == name


def _is_switch(call: m.Call, name: str, mode: str) -> bool:
    return isinstance(call.func, m.Attr) and call.func.name == mode and _last(call.func.value) == name


def _called(call: m.Call) -> str:
    func = call.func
    return func.name if isinstance(func, m.Attr) else func.id if isinstance(func, m.Name) else ""


def _last_name(item: m.Expr) -> str:
    """The parameter's name in ``p`` or ``(name, p)``."""
    if isinstance(item, m.Seq) and item.items:
        return _last_name(item.items[-1])
    return item.id if isinstance(item, m.Name) else ""


def _last(expr: m.Expr) -> str | None:
    while isinstance(expr, m.Attr) and expr.name == "module":
        expr = expr.value
    return expr.name if isinstance(expr, m.Attr) else expr.id if isinstance(expr, m.Name) else None
