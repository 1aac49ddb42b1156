"""Train and eval states through the statements of one function: branches, loops with their back edge, try, with."""

from typing import Any

from bnlint.facts import model as m
from bnlint.frameworks import torch as table
from bnlint.project.names import Definition, External
from bnlint.project.scopes import Scope
from bnlint.project.torch.guards import last_round
from bnlint.project.torch.moving import moved_by_hand
from bnlint.project.torch.states import NOBODY, Atom, Loc, Locs, Mode, State, doubt, join
from bnlint.project.torch.surroundings import Loop, Surroundings

_PASSES = 4
_DEEP = 4  # loops inside of so many others are walked once


class Walker(Surroundings):
    """Runs one function (or module) on abstract states."""

    def __init__(self, scope: Scope, machine: Any, file: m.FileFacts, body: m.Block) -> None:
        super().__init__(scope, machine, file, body)
        self.ways_out: list[State] = []
        self.returned: Locs = NOBODY

    # --- statements ---

    def run(self, block: m.Block) -> None:
        """Walk a whole body; its ways out are collected."""
        if self._block(block):
            self.ways_out.append(self.state)

    def _block(self, block: m.Block) -> bool:
        """Walk statements; False if control never reaches their end."""
        return all(_TABLE[type(statement)](self, statement) is not False for statement in block)

    def _way(self, block: m.Block, start: State) -> State | None:
        self.state = start
        return self.state if self._block(block) else None

    def _assign(self, node: m.Assign) -> None:
        if node.op != "=":
            self.value(node.value)
            return
        locs = self.value(node.value)
        for target in node.targets:
            if isinstance(target, m.Attr) and target.name == "training":
                self._set_training(target, node)
                continue
            self.bind(target, locs)
            if isinstance(target, m.Attr) and target.name == "requires_grad":
                self._set_requires_grad(target, node)
            if isinstance(target, m.Attr) and target.name == "data" and _is_read(node.value):
                self.state.mark(self._parameters_of(target.value), "loaded", self.path, node.at)
            if isinstance(target, m.Name) and isinstance(node.value, m.Attr) and node.value.name == "training":
                held = self.value(node.value.value)
                self.state.saved[target.id] = (held, {loc: self.state.mode(loc) for loc in held})

    def _set_training(self, target: m.Attr, node: m.Assign) -> None:
        owners = self.value(target.value)
        constant = node.value.value if isinstance(node.value, m.Const) else None
        word = "train" if constant is True else "eval"
        atom = Atom(word, self.path, node.at, "called", node.at)  # type: ignore[arg-type]
        self.state.set_mode(owners, frozenset({atom}) if isinstance(constant, bool) else doubt(self.path, node.at))

    def _set_requires_grad(self, target: m.Attr, node: m.Assign) -> None:
        """``for p in net.parameters(): p.requires_grad = False`` is noted on the network."""
        constant = node.value.value if isinstance(node.value, m.Const) else None
        source = self._parameters_of(target.value)
        if source:
            self.state.mark(source, "weights frozen" if constant is False else "weights free", self.path, node.at)

    def _parameters_of(self, expr: m.Expr) -> Locs:
        loop = self._fors[-1] if self._fors else None
        if loop is None or not isinstance(expr, m.Name) or self._questions:
            return NOBODY
        source = loop.iter
        if (
            isinstance(source, m.Call)
            and isinstance(source.func, m.Attr)
            and source.func.name in {"parameters", "named_parameters"}
        ):
            return self.value(source.func.value)
        return NOBODY

    def _do(self, node: m.Do) -> None:
        self.value(node.value)
        if isinstance(node.value, m.Call) and self._is_no_grad(node.value):
            self._no_grad += 1  # torch.set_grad_enabled(False) as a statement

    def _return(self, node: m.Return) -> bool:
        self.returned |= self.value(node.value)
        self.ways_out.append(self.state.copy())
        return False

    def _raise(self, node: m.Raise) -> bool:
        self.value(node.value)
        return False

    def _jump(self, node: m.Jump) -> bool:
        if node.kind == "pass" or not self._loops:
            return True
        (self._loops[-1].breaks if node.kind == "break" else self._loops[-1].continues).append(self.state.copy())
        return False

    def _if(self, node: m.If) -> bool:
        self.value(node.test)
        before = self.state
        saved = self._saved_in(node.test)
        if isinstance(node.test, m.Const) and not node.test.value:
            return self._block(node.orelse)
        self._questions.append(node.test)
        then = self._way(node.body, before.copy())
        self._questions.pop()
        other = self._way(node.orelse, before.copy())
        if then is not None and other is not None and self._loops and last_round(node.test, self._fors):
            self._loops[-1].breaks.append(then)  # the loop ends with it
            then = None
        met = join([then, other])
        self.state = met if met is not None else before
        if met is not None and then is not None and other is not None:
            self._after_restore(before, then, other, saved, node.at)
        return met is not None

    def _saved_in(self, test: m.Expr) -> dict[Loc, Mode]:
        """Modes that the test remembers: ``if was_training:``."""
        return self.state.saved[test.id][1] if isinstance(test, m.Name) and test.id in self.state.saved else {}

    def _after_restore(self, before: State, then: State, other: State, saved: dict[Loc, Mode], at: int) -> None:
        """``if …: net.train()`` after an eval() is a restoration that depends on something: no mistake is seen there."""
        for loc in {*then.modes, *other.modes}:
            if loc in saved:
                # ``if was_training: net.eval()`` leaves eval mode either way, ``net.train()`` what there was before.
                asked = then.mode(loc)
                self.state.modes[loc] = asked if _only(asked, "eval") else saved[loc]
                continue
            was, one, two = before.mode(loc), then.mode(loc), other.mode(loc)
            back = (two == was and _only(one, "train")) or (one == was and _only(two, "train"))
            if one != two and back and any(atom.word == "eval" for atom in was):
                self.state.modes[loc] = doubt(self.path, at)

        for loc in {*then.marks, *other.marks}:
            one_kinds, two_kinds = _kinds(then, loc), _kinds(other, loc)
            if any("norms frozen" in k and "thawed by" not in k for k in (one_kinds, two_kinds)):
                self.state.unmark(frozenset({loc}), "thawed by")  # ``if freeze: net.freeze_bn()`` after train()

    def _for(self, node: m.For) -> bool:
        source = self.value(node.iter)
        self._fors = [*self._fors, node]
        alive = self._loop(node, lambda: self.bind(node.target, self.state.field(source, "[]")))
        self._fors = self._fors[:-1]
        for owner in moved_by_hand(node):
            self.state.mark(self.value(owner), "moved", self.path, node.at)
        return alive

    def _while(self, node: m.While) -> bool:
        return self._loop(node, lambda: self.value(node.test))

    def _loop(self, node: m.For | m.While, begin: Any) -> bool:
        entry = self.state
        head = entry.copy()
        after: State | None = None
        loop = Loop(node, self.machine.look_at_loop(self.path, node, self.given), self.machine.vocabulary)
        passes = _PASSES if len(self._loops) < _DEEP else 1
        for count in range(passes + 1):
            loop.breaks, loop.continues = [], []
            self._loops.append(loop)
            self.state = head.copy()
            begin()
            end = self._way(node.body, self.state)
            self._loops.pop()
            back = join([end, *loop.continues])
            after = join([back, *loop.breaks])
            grown = join([entry, back])
            if back is None or grown is None or grown.same(head):
                break
            if count + 1 >= passes:  # given up: what still changes from round to round is unknown
                for loc in grown.restless(head):
                    grown.modes[loc] = doubt(self.path, node.at)
                self.machine.unsettled.add((self.path, node.at))
            head = grown
        # Loops are taken to run at least once: an empty loader is nobody's case.
        self.state = after if after is not None else entry
        return (
            self._block(node.orelse) if after is not None and node.orelse else after is not None or not loop.continues
        )

    def _with(self, node: m.With) -> bool:
        quiet = 0
        switched: list[tuple[Loc, Mode]] = []
        for item in node.items:
            context = item.context
            quiet += self._is_no_grad(context)
            if isinstance(context, m.Call) and self._is_own_manager(context):
                given = frozenset().union(*(self.value(arg.value) for arg in context.args), NOBODY)
                switched += [(loc, self.state.mode(loc)) for loc in given]
                self.state.set_mode(given, doubt(self.path, node.at))
                continue
            locs = self.value(context)
            if item.target is not None:
                self.bind(item.target, locs)
        self._no_grad += quiet
        alive = self._block(node.body)
        self._no_grad -= quiet
        for loc, mode in switched:
            self.state.set_mode(frozenset({loc}), mode)
        return alive

    def _is_own_manager(self, call: m.Call) -> bool:
        """A context manager that is given objects: it may switch their mode inside and restore it."""
        meaning = self.machine.names.resolve(call.func, self.scope)
        if isinstance(meaning, External) and meaning.name.startswith(table.HARMLESS):
            return False
        return isinstance(meaning, Definition) or meaning is None or isinstance(meaning, External)

    def _try(self, node: m.Try) -> bool:
        before, out = self.state.copy(), len(self.ways_out)
        body = self._way(node.body, self.state)
        ways = [body]
        for handler in node.handlers:
            start = join([before, body]) or before
            ways.append(self._way(handler.body, start.copy()))
        if body is not None and node.orelse:
            ways[0] = self._way(node.orelse, body)
        met = join(ways)
        if node.final:
            returned, self.ways_out[out:] = self.ways_out[out:], []
            for state in returned:  # what returns inside runs the final block too
                self.ways_out.append(self._way(node.final, state) or state)
        self.state = met if met is not None else before
        return self._block(node.final) and met is not None

    def _match(self, node: m.Match) -> bool:
        self.value(node.subject)
        before = self.state
        met = join([before, *(self._way(case.body, before.copy()) for case in node.cases)])
        self.state = met if met is not None else before
        return met is not None

    def _delete(self, node: m.Delete) -> None:
        for target in node.targets:
            if isinstance(target, m.Name):
                self.state.env.pop(target.id, None)

    def _assert(self, node: m.Assert) -> None:
        self.value(node.test)

    def _definition(self, node: m.Function | m.Class) -> None:
        self.state.env.pop(node.name, None)


def _is_read(expr: m.Expr | None) -> bool:
    """``torch.FloatTensor(weights[name])``: an item of something, made a tensor."""
    while isinstance(expr, m.Call) and expr.args:
        expr = expr.args[0].value
    return isinstance(expr, m.Item)


def _only(mode: Mode, word: str) -> bool:
    return bool(mode) and all(atom.word == word for atom in mode)


def _kinds(state: State, loc: Loc) -> set[str]:
    return {mark.what for mark in state.marks.get(loc, ())}


def _ignore(_walker: Walker, _node: Any) -> None:
    return


_TABLE: dict[type, Any] = {
    m.Assign: Walker._assign,
    m.Do: Walker._do,
    m.Return: Walker._return,
    m.Raise: Walker._raise,
    m.Jump: Walker._jump,
    m.If: Walker._if,
    m.For: Walker._for,
    m.While: Walker._while,
    m.With: Walker._with,
    m.Try: Walker._try,
    m.Match: Walker._match,
    m.Delete: Walker._delete,
    m.Assert: Walker._assert,
    m.Function: Walker._definition,
    m.Class: Walker._definition,
    m.Import: _ignore,
    m.From: _ignore,
    m.Outer: _ignore,
}
