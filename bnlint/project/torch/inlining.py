"""Calls of project code: the summary of the callee, translated into the caller's objects and applied."""

from collections.abc import Callable
from typing import Any

from bnlint.facts import model as m
from bnlint.project.calls import argument, is_method
from bnlint.project.names import Definition
from bnlint.project.scopes import Scope
from bnlint.project.torch.effects import Effects
from bnlint.project.torch.evaluation import Context
from bnlint.project.torch.families import is_announced
from bnlint.project.torch.settling import Given
from bnlint.project.torch.states import NOBODY, Atom, Loc, Locs, Mode, capped, doubt, few
from bnlint.project.torch.summary import Step, Summary, Use
from bnlint.project.torch.values import no_settings

_MAX_USES = 80
_MAX_CHAIN = 12


class Inlining(Effects):
    """Effects of calls of functions, methods and classes of the project."""

    def __init__(self, scope: Scope, machine: Any) -> None:
        super().__init__(scope, machine)
        self.quiet = False
        self._last: dict[int, Locs] = {}

    def enter(self, node: m.Call, target: Definition, owners: Locs | None) -> Locs:
        """Call a function or method as if this code did."""
        return self._own(node, target, owners)

    def _own(self, node: m.Call, target: Definition, owners: Locs | None) -> Locs:
        if isinstance(target.node, m.Class):
            return self.construct(node, target)
        given = [self.value(arg.value) for arg in node.args]
        summary: Summary = self.machine.summary(target, self._told(node, target))
        roots = self._roots(node, target, owners)
        if owners and is_announced(target):
            self.record("method", node, owners)  # a caller knows which heir of the class it is
        if self.machine.is_manager(target):
            for locs in given:
                self._doubt(locs, node.at)
            return NOBODY
        if owners and self._is_pass(target, owners, summary):
            self.record("call", node, owners)
            return self._inline(node, summary, roots, without=target.node.params[0].name)
        return self._inline(node, summary, roots)

    def _is_pass(self, method: Definition, owners: Locs, summary: Summary) -> bool:
        """``net.features(x)``: a pass through the network, like a call of it, unless it sets the network's mode itself."""
        if not self.machine.computes(method) or not is_method(method):
            return False
        classes = [self.machine.class_of(owner, self.scope) for owner in owners]
        known = [cls for cls in classes if isinstance(cls, Definition) and self.machine.layers.is_module(cls)]
        if len(known) < len(classes) or any(self.machine.owners.managed_class(cls) for cls in known):
            return False
        assert isinstance(method.node, m.Function)
        return all(loc.root().name != method.node.params[0].name for loc, _ in summary.modes)

    def construct(self, node: m.Call, cls: Definition) -> Locs:
        """Make an object of a class, with what its constructor does."""
        self.machine.constructed.add(cls.key)
        module = self.machine.layers.is_module(cls)
        managed = self.machine.owners.managed_class(cls)
        made = self.made(node, cls, "train" if module and not managed else "unknown")
        init = self.machine.names.method(cls, "__init__")
        if init is None:
            for arg in node.args:
                self.value(arg.value)
            return made
        for arg in node.args:
            self.value(arg.value)
        self._inline(
            node, self.machine.summary(init, self._told(node, init)), self._roots(node, init, made), uses=False
        )
        return made

    def _told(self, node: m.Call, target: Definition) -> Given:
        """What the call says on the mode, as literals."""
        given: Given = self.machine.deciding.given(node, target, self.known)
        return given

    def _roots(self, node: m.Call, target: Definition, owners: Locs | None) -> dict[str, Locs]:
        """What each parameter of the callee is, in objects of the caller."""
        assert isinstance(target.node, m.Function)
        params = target.node.params
        roots: dict[str, Locs] = {}
        if owners is not None and is_method(target) and params:
            roots[params[0].name] = owners
            params = params[1:]
        for param in params:
            found = argument(node, params, param.name)
            if found is not None and found[0] is not None and found[1]:
                roots[param.name] = self.peek(found[0])
        return roots

    def peek(self, expr: m.Expr) -> Locs:
        """The objects of an argument that was evaluated before: without doing its effects twice."""
        if isinstance(expr, m.Call):
            return self._last.get(expr.at, NOBODY)
        before, self.quiet = self.quiet, True
        locs = self.value(expr)
        self.quiet = before
        return locs

    def call(self, node: m.Call) -> Locs:
        """Apply a call and remember what it gave."""
        if self.quiet and node.at in self._last:
            return self._last[node.at]
        locs = super().call(node)
        self._last[node.at] = locs
        return locs

    # --- applying a summary ---

    def _inline(
        self, node: m.Call, summary: Summary, roots: dict[str, Locs], *, uses: bool = True, without: str = ""
    ) -> Locs:
        before = self.state.past() if summary.modes else self.state
        cache: dict[Loc, Locs] = {}
        made: dict[Loc, Locs] = {}  # objects that the callee made stay what they are, whatever is held by whom

        def here(loc: Loc) -> Locs:
            kept = made if loc.kind == "new" else cache
            if loc not in kept:
                kept[loc] = self._translate(loc, roots, node)
            return kept[loc]

        if uses:
            self._take_uses(node, summary, roots, without)
        for loc, name, parts in summary.heap:
            for owner in here(loc):
                held = no_settings(frozenset().union(*(here(part) for part in parts), NOBODY))
                self.state.hold(owner, name, capped(held))
                cache.clear()
        ends: list[tuple[Loc, Mode]] = []
        for loc, mode in sorted(summary.modes, key=lambda pair: pair[0].depth()):
            sure = self._is_one(loc, here)
            for mine in here(loc):
                moved = self._moved(mode, before.mode(mine), node)
                ends.append((mine, moved if sure else _unsure(moved)))
                self.state.set_mode(frozenset({mine}), ends[-1][1])
        for mine, moved in ends:  # a part may have a mode of its own, whatever that of the whole
            self.state.modes[mine] = moved
        for loc, what in summary.gone:
            self.state.unmark(here(loc), what)
        for loc, marks in summary.marks:
            for mine in here(loc):
                self.state.marks[mine] = self.state.marks.get(mine, frozenset()) | marks
        return capped(frozenset().union(*(here(loc) for loc in summary.returns), NOBODY))

    def _is_one(self, loc: Loc, here: Callable[[Loc], Locs]) -> bool:
        """Whether the callee's object is one of the caller's, made in different ways; so are the parts of such a one."""
        if self.state.together(here(loc)):
            return True
        return loc.kind == "field" and loc.parent is not None and self._is_one(loc.parent, here)

    def _translate(self, loc: Loc, roots: dict[str, Locs], node: m.Call) -> Locs:
        if loc.kind == "param":
            return roots.get(loc.name, NOBODY)
        if loc.kind == "outer":
            return self._outer(loc)
        if loc.kind == "new" or loc.parent is None:
            return frozenset({self.machine.made_again(loc, self.path, node.at, self.variant)})
        return self.state.field(self._translate(loc.parent, roots, node), loc.name)

    def _outer(self, loc: Loc) -> Locs:
        """A variable of a scope around the callee: mine, if it is this one."""
        if loc.path == f"{self.scope.path}:{self.scope.qualname}":
            return self.state.env.get(loc.name, frozenset({loc}))
        return frozenset({loc})

    def _moved(self, mode: Mode, before: Mode, node: m.Call) -> Mode:
        atoms: set[Atom] = set()
        for atom in mode:
            atoms |= before if atom.word == "entry" else {atom._replace(local=node.at)}
        return few(atoms)

    def _take_uses(self, node: m.Call, summary: Summary, roots: dict[str, Locs], without: str) -> None:
        if not summary.uses or len(self.uses) > _MAX_USES * 4:
            return
        context = self.context(node)
        moved = {(loc.root(), mine) for loc, _ in summary.modes for mine in self._translate(loc, roots, node)}
        for use in summary.uses:
            if len(use.chain) >= _MAX_CHAIN or (without and use.loc.root().name == without):
                continue
            for loc in sorted(self._translate(use.loc, roots, node)):
                other = any(mine == loc and root != use.loc.root() for root, mine in moved)
                self._take(
                    node, use._replace(mode=use.mode | doubt(self.path, node.at)) if other else use, loc, context
                )

    def _take(self, node: m.Call, use: Use, loc: Loc, context: Context) -> None:
        own = self.machine.method(frozenset({loc}), use.method, self.scope) if use.method else None
        if own is not None and self._is_pass(own, frozenset({loc}), self.machine.summary(own)):
            use = use._replace(kind="call", method="")
        elif own is not None:  # it may switch modes itself, so it is judged inside
            self._inline(node, self.machine.summary(own), {own.node.params[0].name: frozenset({loc})})
            return
        before = self.state.effective(loc)
        mode = self._moved(use.mode, before, node)
        met = before if any(atom.word == "entry" for atom in use.mode) else frozenset()
        mine = use._replace(
            loc=loc,
            mode=mode,
            local=node.at,
            loops=self.loops(),
            context=use.context.seen_from(node, context, self.machine.vocabulary),
            marks=use.marks | self._marks(loc),
            chain=(Step(self.path, node.at), *use.chain),
            parts=self.state.parts_below(loc) if use.kind != "mode" else (),
            late=use.late + self.late(met, node.at),
        )
        self.uses[use.path, use.at, loc, f"{use.kind}{node.at}"] = mine
        if use.kind == "call" and use.context.trains:
            self.state.mark(frozenset({loc}), "trained", use.path, use.at)
            self._record_parts(mine)


def _unsure(mode: Mode) -> Mode:
    """A switch to eval mode of one object among several is no evidence that this one was switched."""
    return frozenset(atom._replace(how="maybe") if atom.word == "eval" else atom for atom in mode)
