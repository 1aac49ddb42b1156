"""Mode switches, and the record of what networks are called in which mode."""

from bnlint.facts import model as m
from bnlint.facts.walk import calls
from bnlint.frameworks import torch as table
from bnlint.project.names import Definition
from bnlint.project.torch.evaluation import Context
from bnlint.project.torch.settling import spoken
from bnlint.project.torch.states import Atom, Loc, Locs, Mark, Mode, doubt, is_below
from bnlint.project.torch.summary import Use, UseKind
from bnlint.project.torch.values import Values


class Switches(Values):
    """Values that know ``train()``, ``eval()`` and their kin; `uses` collects the calls of networks."""

    uses: dict[tuple[str, int, Loc, str], Use]

    def context(self, node: m.Call) -> Context:
        """The evidence around a call; filled in by the walk over statements."""
        raise NotImplementedError

    def loops(self) -> tuple[int, ...]:
        """The loops around the present statement."""
        raise NotImplementedError

    def late(self, mode: Mode, at: int) -> tuple[Atom, ...]:
        """Switches to eval mode at `at` or after it in a loop around it: the loop's next round meets them there."""
        raise NotImplementedError

    def _arguments(self, node: m.Call) -> list[Locs]:
        return [self.value(arg.value) for arg in node.args]

    # --- modes ---

    def _atom(self, word: str, at: int) -> Mode:
        return frozenset({Atom(word, self.path, at, "called", at)})  # type: ignore[arg-type]

    def _switch(self, node: m.Call, func: m.Attr, owners: Locs) -> Locs:
        if func.name == "requires_grad_":
            off = bool(node.args) and is_constant(node.args[0].value, value=False)
            self.state.mark(owners, "weights frozen" if off else "weights free", self.path, node.at)
            return owners
        word = func.name if func.name == "eval" else self._train_word(node)
        if word is None:  # trainer.train(loader), or a saved mode
            self._restore(node, owners)
            return owners
        whole = frozenset(loc for loc in owners if loc.name != "<modules>")
        for loc in owners - whole:
            assert loc.parent is not None
            self._switch_parts(node, loc.parent, word)
        self.state.set_mode(whole, self._atom(word, node.at))
        self._note_switch(node, func, whole, word)
        return owners

    def _switch_parts(self, node: m.Call, owner: Loc, word: str) -> None:
        """``for m in net.modules(): m.eval()``: under a question for batch norm it freezes them, else it is net.eval()."""
        asked = self.asked_for_norm()
        if word == "eval" and asked:
            self.state.unmark(frozenset({owner}), "thawed by")
            self.state.mark(frozenset({owner}), "norms frozen", self.path, node.at)
        else:
            self.state.set_mode(frozenset({owner}), doubt(self.path, node.at) if asked else self._atom(word, node.at))

    def asked_for_norm(self) -> bool:
        """Whether the statement stands under a question for a class or name."""
        raise NotImplementedError

    def _note_switch(self, node: m.Call, func: m.Attr, owners: Locs, word: str) -> None:
        if word == "train":
            plain = frozenset(loc for loc in owners if not self.machine.overrides_train(loc, self.scope))
            self.state.unmark(plain, "thawed by")
            self.state.mark(plain, "thawed by", self.path, node.at)
        self.record("mode", node, owners, words=func.name)

    def _train_word(self, node: m.Call) -> str | None:
        if not node.args:
            return "train"
        given = node.args[0]
        if len(node.args) != 1 or given.keyword not in {None, "mode"}:
            return None
        said = spoken(given.value, self.known)
        if said is not None or isinstance(given.value, m.Const):
            return "train" if said is not None and said.truth else "eval"
        return "train" if self._is_usual(given.value) else None

    def _is_usual(self, flag: m.Expr) -> bool:
        """``def train_one_epoch(…, set_training_mode=True)``: what a training function does unless it is told not to."""
        function = self.scope.node
        if not isinstance(flag, m.Name) or not isinstance(function, m.Function):
            return False
        default = next((p.default for p in function.params if p.name == flag.id), None)
        trains = self.machine.vocabulary.training_name(function.name)
        return trains and default is not None and is_constant(default, value=True)

    def _restore(self, node: m.Call, owners: Locs) -> None:
        given = node.args[0].value
        saved = self.state.saved.get(given.id) if isinstance(given, m.Name) else None
        for loc in owners:
            before = saved[1].get(loc) if saved is not None else None
            self.state.set_mode(frozenset({loc}), before or doubt(self.path, node.at))

    def _apply_function(self, node: m.Call, owners: Locs) -> Locs:
        kind = self.machine.applied(node.args[0].value, self.scope)
        if kind == "freezes":
            self.state.unmark(owners, "thawed by")
            self.state.mark(owners, "norms frozen", self.path, node.at)
        elif kind == "switches":
            self.state.set_mode(owners, doubt(self.path, node.at))
        return owners

    def _doubt(self, locs: Locs, at: int) -> None:
        """Something that nobody can look into may have switched these objects."""
        if locs:
            self.state.set_mode(locs, doubt(self.path, at))

    # --- uses ---

    def _own(self, node: m.Call, target: Definition, owners: Locs | None) -> Locs:
        """Project code; filled in by a floor above."""
        raise NotImplementedError

    def _use(self, node: m.Call, called: Locs) -> Locs:
        own = self.machine.caller_of(called, self.scope)
        if own is not None:
            return self._own(node, own, called)
        if not isinstance(node.func, m.Attr) or node.func.name in table.COMPUTING_METHODS:
            self._arguments(node)
        self.record("call", node, called)
        return self.made(node, None, "unknown")

    def record(self, kind: UseKind, node: m.Call, locs: Locs, words: str = "") -> Locs:
        """Keep a use of objects; a later pass over the same loop replaces it."""
        context = self.context(node)
        for loc in sorted(locs):
            mode = self.state.effective(loc) if kind != "mode" else self.state.mode(loc)
            use = Use(
                kind, self.path, node.at, self.machine.key(self.scope), loc, mode, context, node.at, self.loops(),
                self._marks(loc), (), words, self.state.parts_below(loc) if kind != "mode" else (),
                self.late(mode, node.at), _method_of(node, kind),
            )  # fmt: skip
            self.uses[self.path, node.at, loc, kind] = use
            if kind == "call" and context.trains:
                self.state.mark(frozenset({loc}), "trained", self.path, node.at)
                self._record_parts(use)
        return locs

    def forget_baked(self, node: m.Call) -> None:
        """``writer.add_graph(torch.jit.trace(net, x))`` only draws what was traced."""
        inside = {call.at for call in calls(node)}
        for key in [key for key in self.uses if key[3] == "bake" and key[1] in inside]:
            del self.uses[key]

    def _record_parts(self, use: Use) -> None:
        """A training pass through a network is one through its parts: those whose weights are frozen are kept too."""
        if self.machine.overrides_train(use.loc, self.scope):
            return
        for loc, marks in list(self.state.marks.items()):
            if loc != use.loc and any(mark.what == "weights frozen" for mark in marks) and self._holds(use.loc, loc):
                part = use._replace(kind="part", loc=loc, mode=self.state.mode(loc), marks=marks)
                self.uses[use.path, use.at, loc, f"part{use.local}"] = part

    def _holds(self, whole: Loc, part: Loc) -> bool:
        step: Loc | None = part.parent
        while step is not None:
            if step == whole:
                return True
            step = step.parent
        return any(part in parts for parts in self.state.held(whole).values())

    def _marks(self, loc: Loc) -> frozenset[Mark]:
        found: set[Mark] = set()
        step: Loc | None = loc
        while step is not None:
            found |= self.state.marks.get(step, frozenset())
            step = step.parent
        for part in self.state.parts_below(loc):
            found |= {mark for mark in self.state.marks.get(part, ()) if mark.what in {"loaded", "weights free"}}
        for part, marks in self.state.marks.items():
            if is_below(part, loc):
                found |= {mark for mark in marks if mark.what == "weights free"}
        return frozenset(found)


def _method_of(node: m.Call, kind: UseKind) -> str:
    name = node.func.name if isinstance(node.func, m.Attr) else ""
    if kind == "method":
        return name
    return name if name in table.COMPUTING_METHODS and not name.startswith("forward") else ""


def is_constant(expr: m.Expr, *, value: object) -> bool:
    """Whether an expression is this literal."""
    return isinstance(expr, m.Const) and expr.value is value
