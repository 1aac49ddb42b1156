"""Where a part of a call's result goes: through names, tuples, returns, jit and ``value_and_grad``, to whoever reads it."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import children
from bnlint.frameworks import jax
from bnlint.project.calls import Calls, Site, own_nodes
from bnlint.project.jax.differentiated import Differentiated, Gradient
from bnlint.project.names import Definition
from bnlint.project.scopes import Scope

Path = tuple[int, ...]
_MAX_DEPTH = 12


class Spot(NamedTuple):
    """A record whose value holds, at `path`, what is followed."""

    node: m.Node
    scope: Scope
    path: Path


class _Used(Exception):
    """Somebody reads it, or it goes where it cannot be followed."""


class Flows:
    """Tells results that nobody reads. Doubt counts as read."""

    def __init__(self, calls: Calls, differentiated: Differentiated) -> None:
        self.calls = calls
        self.names = calls.names
        self.differentiated = differentiated
        self._parents: dict[tuple[str, int | None], dict[int, m.Node]] = {}
        self._wrapped: dict[tuple[str, int], list[Site]] | None = None

    def lost(self, call: m.Call, scope: Scope, path: Path) -> bool:
        """Whether the part at `path` of the result of `call` is read by nobody."""
        try:
            self._follow(Spot(call, scope, path), 0)
        except (_Used, RecursionError):
            return False
        return True

    # --- one step ---

    def _follow(self, spot: Spot, depth: int) -> None:
        """Return if nobody reads the spot; raise if somebody does."""
        if depth > _MAX_DEPTH:
            raise _Used
        node, scope, path = spot
        parent = self._parent(node, scope)
        if isinstance(parent, m.Seq):
            if self._stands_alone(node, self._parent(parent, scope)):
                return
            place = next(n for n, item in enumerate(parent.items) if item is node)
            self._follow(Spot(parent, scope, (place, *path)), depth + 1)
        elif isinstance(parent, m.Choice) and parent.test is not node:
            self._follow(Spot(parent, scope, path), depth + 1)
        elif isinstance(parent, m.Star) and path and isinstance(outer := self._parent(parent, scope), m.Seq):
            self._spread(parent, outer, spot, depth)
        elif isinstance(parent, m.Item) and parent.value is node:
            self._item(parent, Spot(node, scope, path), depth)
        elif isinstance(parent, m.Assign) and parent.value is node and parent.op == "=":
            for target in parent.targets:
                self._bind(target, parent, Spot(node, scope, path), depth)
        elif isinstance(parent, m.Return):
            self._returned(scope, path, depth)
        elif not isinstance(parent, m.Do):
            raise _Used

    def _stands_alone(self, node: m.Node, choice: m.Node | None) -> bool:
        """``outs if train else (outs, None)``: where it is put into a pair, it has no parts of its own."""
        if not isinstance(node, m.Name) or not isinstance(choice, m.Choice):
            return False
        return any(isinstance(part, m.Name) and part.id == node.id for part in (choice.then, choice.other))

    def _spread(self, star: m.Star, outer: m.Seq, spot: Spot, depth: int) -> None:
        """``(loss, *rest)``: the parts of `rest` come after what stands before it."""
        place = next(n for n, item in enumerate(outer.items) if item is star)
        if any(isinstance(item, m.Star) for item in outer.items[:place]):
            raise _Used
        self._follow(Spot(outer, spot.scope, (place + spot.path[0], *spot.path[1:])), depth + 1)

    def _item(self, item: m.Item, spot: Spot, depth: int) -> None:
        if not spot.path:  # a part of it: updates["batch_stats"]
            return self._follow(Spot(item, spot.scope, ()), depth + 1)
        key = item.keys[0] if len(item.keys) == 1 else None
        if not isinstance(key, m.Const) or not isinstance(key.value, int) or key.value < 0:
            raise _Used
        if key.value == spot.path[0]:
            self._follow(Spot(item, spot.scope, spot.path[1:]), depth + 1)
        return None

    def _bind(self, target: m.Expr, statement: m.Assign, spot: Spot, depth: int) -> None:
        if isinstance(target, m.Name):
            self._read_later(target.id, statement, spot, depth)
        elif isinstance(target, m.Seq) and spot.path and not any(isinstance(i, m.Star) for i in target.items):
            if spot.path[0] < len(target.items):
                inner = spot._replace(path=spot.path[1:])
                self._bind(target.items[spot.path[0]], statement, inner, depth)
        else:
            raise _Used

    def _read_later(self, name: str, statement: m.Assign, spot: Spot, depth: int) -> None:
        scope = spot.scope
        if scope.node is None or name in scope.outer:
            raise _Used  # a global may be read anywhere
        first, last = self._reach(statement, scope)
        for inner in self.names.scopes(scope.path).values():
            if inner.parent is not None and _inside(inner, scope) and inner is not scope and name not in inner.names:
                nodes = own_nodes(inner)
                if any(isinstance(n, m.Name) and n.id == name for n in nodes):
                    raise _Used
        for node in own_nodes(scope):
            if not isinstance(node, m.Name) or node.id != name or self._is_target(node, scope):
                continue
            if node.at > last or node.at >= first:
                self._follow(Spot(node, scope, spot.path), depth + 1)

    def _reach(self, statement: m.Assign, scope: Scope) -> tuple[float, int]:
        """The number from which reads come after the statement by way of a loop, and its own last number."""
        last = statement.at
        stack: list[m.Node] = [statement]
        while stack:
            node = stack.pop()
            last = max(last, node.at)
            stack.extend(children(node))
        first = float("inf")
        parent = self._parent(statement, scope)
        while parent is not None:
            if isinstance(parent, m.For | m.While):
                first = parent.at
            parent = self._parent(parent, scope)
        return first, last

    def _is_target(self, name: m.Name, scope: Scope) -> bool:
        node: m.Node = name
        parent = self._parent(node, scope)
        while isinstance(parent, m.Seq | m.Star):
            node, parent = parent, self._parent(parent, scope)
        if isinstance(parent, m.Assign):
            return parent.op == "=" and any(target is node for target in parent.targets)
        return isinstance(parent, m.For) and parent.target is node

    def _parent(self, node: m.Node, scope: Scope) -> m.Node | None:
        key = (scope.path, None if scope.node is None else scope.node.at)
        if key not in self._parents:
            above: dict[int, m.Node] = {}
            for one in own_nodes(scope):
                for child in children(one):
                    above[child.at] = one
            self._parents[key] = above
        return self._parents[key].get(node.at)

    # --- out of a function ---

    def _returned(self, scope: Scope, path: Path, depth: int) -> None:
        if not isinstance(scope.node, m.Function):
            raise _Used
        function = Definition(scope.node, scope)
        readers = [*self._gradient_results(function, path), *self._call_results(function, path)]
        if not readers or self._escapes(function):
            raise _Used
        for spot in readers:
            self._follow(spot, depth + 1)

    def _call_results(self, function: Definition, path: Path) -> Iterator[Spot]:
        decorated = [g for g in self.differentiated.gradients(function) if self._decorates(g, function)]
        for site in [*self.calls.sites(function), *self._wrapped_sites(function)]:
            yield Spot(site.call, site.scope, _through(decorated[0], path) if decorated else path)

    def _gradient_results(self, function: Definition, path: Path) -> Iterator[Spot]:
        for gradient in self.differentiated.gradients(function):
            if self._decorates(gradient, function):
                continue
            inner = _through(gradient, path)
            yield from (Spot(call, scope, inner) for call, scope in self._calls_of(gradient.site))

    def _decorates(self, gradient: Gradient, function: Definition) -> bool:
        assert isinstance(function.node, m.Function)
        ats = {decorator.at for decorator in function.node.decorators}
        return gradient.site.call.at in ats and gradient.site.scope.path == function.path

    def _calls_of(self, made: Site) -> list[Site]:
        """Calls of the function that ``jax.value_and_grad(f)`` makes: at once, or by the name it is bound to."""
        parent = self._parent(made.call, made.scope)
        if isinstance(parent, m.Call) and parent.func is made.call:
            return [Site(parent, made.scope)]
        if not isinstance(parent, m.Assign) or not isinstance(parent.targets[0], m.Name):
            raise _Used
        found: list[Site] = []
        name = parent.targets[0].id
        bound = [b.at for b in made.scope.names.get(name, ()) if b.at > parent.at]
        rebound = min(bound, default=float("inf"))
        for inner in self.names.scopes(made.scope.path).values():
            if inner is not made.scope and (not _inside(inner, made.scope) or name in inner.names):
                continue
            for node in own_nodes(inner):
                if not isinstance(node, m.Name) or node.id != name or self._is_target(node, inner):
                    continue
                if inner is not made.scope or parent.at < node.at < rebound:
                    call = self._parent(node, inner)
                    if not isinstance(call, m.Call) or call.func is not node:
                        raise _Used
                    found.append(Site(call, inner))
        return found

    def _wrapped_sites(self, function: Definition) -> list[Site]:
        """Calls of ``jax.jit(function)`` and the like."""
        if self._wrapped is None:
            self._wrapped = {}
            for site in self.calls.all_sites():
                if self.calls.target(site.call, site.scope) is None:
                    target = self.differentiated.unwrapped(site.call.func, site.scope)
                    if target is not None:
                        self._wrapped.setdefault(target.key, []).append(site)
        return self._wrapped.get(function.key, [])

    def _escapes(self, function: Definition) -> bool:
        """Whether the function is also handed to somebody who calls it unseen."""
        assert isinstance(function.node, m.Function)
        home = function.scope.parent
        if home is None or isinstance(home.node, m.Class):
            return False
        for inner in self.names.scopes(function.path).values():
            if not _inside(inner, home):
                continue
            for node in own_nodes(inner):
                if isinstance(node, m.Name) and node.id == function.node.name and not self._harmless(node, inner):
                    return True
        return False

    def _harmless(self, name: m.Name, scope: Scope) -> bool:
        parent = self._parent(name, scope)
        if self._is_target(name, scope):
            return True
        if not isinstance(parent, m.Call):
            return False
        called = self.names.qualified(parent.func, scope) or ""
        gradient = self.differentiated.transform(parent.func, scope) is not None
        return parent.func is name or gradient or bool(jax.TRANSPARENT.search(called))


def _through(gradient: Gradient, path: Path) -> Path:
    """Where the part at `path` of a loss function's result stands in what its gradient function returns."""
    if gradient.aux is None or not path or path[0] != 1:
        raise _Used
    return (*gradient.aux, *path[1:])


def _inside(scope: Scope, outer: Scope) -> bool:
    current: Scope | None = scope
    while current is not None:
        if current is outer:
            return True
        current = current.parent
    return False
