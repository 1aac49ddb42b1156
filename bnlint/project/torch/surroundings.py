"""What stands around a statement: loops, no_grad, questions, the function's and the file's own words."""

from typing import Any

from bnlint.facts import model as m
from bnlint.facts.walk import children, walk
from bnlint.frameworks import torch as table
from bnlint.project.scopes import Scope
from bnlint.project.torch.evaluation import Context, Signs, function_context, loop_data, signs
from bnlint.project.torch.inlining import Inlining
from bnlint.project.torch.settling import spoken
from bnlint.project.torch.states import Atom, Loc, Mode, State
from bnlint.project.torch.summary import Use
from bnlint.project.torch.words import Vocabulary, names_in, parts


class Loop:
    """A loop on the way to the present statement, and where its jumps go."""

    def __init__(self, node: m.For | m.While, look: Signs, words: Vocabulary) -> None:
        self.at, self.last = node.at, last_of(node)
        self.trains, self.measures, _ = look
        self.data, self.train_data = loop_data(node, words) if isinstance(node, m.For) else (False, False)
        self.breaks: list[State] = []
        self.continues: list[State] = []


class Surroundings(Inlining):
    """Keeps track of what is around the present statement."""

    uses: dict[tuple[str, int, Loc, str], Use]

    def __init__(self, scope: Scope, machine: Any, file: m.FileFacts, body: m.Block) -> None:
        super().__init__(scope, machine)
        self.file = file
        self.body = body
        self.uses = {}
        self._loops: list[Loop] = []
        self._fors: list[m.For] = []
        self._no_grad = 0
        self._questions: list[m.Expr] = []
        self._base: Context | None = None

    # --- what the floors below ask ---

    def loops(self) -> tuple[int, ...]:
        """The loops around the present statement, outermost first."""
        return tuple(loop.at for loop in self._loops)

    def late(self, mode: Mode, at: int) -> tuple[Atom, ...]:
        """Switches to eval mode at `at` or after it in a loop around it: the loop's next round meets them there."""
        end = max((loop.last for loop in self._loops), default=-1)
        return tuple(sorted(a for a in mode if a.word == "eval" and a.how == "called" and at <= a.local <= end))

    def context(self, node: m.Call) -> Context:
        """Evidence of evaluation around a call."""
        base = self._function_context()
        inner = self._loops[-1] if self._loops else None
        data = any(loop.data for loop in self._loops[-2:])
        train_data = inner is not None and inner.train_data
        named = any(
            self.machine.vocabulary.of_evaluation_data(names_in(arg.value))
            for arg in node.args
            if not isinstance(arg.value, m.Lambda)
        )
        step = inner.trains if inner is not None else base.step
        return base._replace(
            meant=base.meant or any(_is_dummy(arg.value) for arg in node.args),
            no_grad=base.no_grad or self._no_grad > 0,
            data=data or named,
            train_data=train_data or (base.train_data and not data and not named),
            metric=inner.measures if inner is not None else base.metric,
            step=step,
        )

    def _function_context(self) -> Context:
        if self._base is None:
            self._base = self._look_at_function()
        return self._base

    def _look_at_function(self) -> Context:
        node = self.scope.node
        whole = self.machine.file_context(self.file)
        if not isinstance(node, m.Function):
            return Context(
                script=whole.script,
                file_trains=whole.trains,
                function_trains=whole.trains,
                meant=whole.tests,
                wants_eval=whole.tests,
            )
        first, last = node.at, last_of(node)
        all_of, unlooped = signs(self.body), signs(tuple(s for s in self.body if not isinstance(s, m.For | m.While)))
        comments = [c.text for c in self.file.comments if first <= c.at <= last]
        owner = self.machine.names.class_of(self.scope)
        base = function_context(
            node.name, owner.node.name if owner is not None else "", comments, self.machine.vocabulary
        )
        decorated = any(self._is_no_grad(d) for d in node.decorators)
        return base._replace(
            no_grad=decorated or (all_of.volatile and not all_of.trains),
            script=whole.script,
            file_trains=whole.trains,
            meant=base.meant or whole.tests,
            wants_eval=base.wants_eval or whole.tests,
            metric=all_of.measures,
            step=unlooped.trains,
            function_trains=all_of.trains or (bool(self.given) and signs(node.body).trains),
            managed=self.machine.owners.managed(self.scope),
        )

    def _is_no_grad(self, expr: m.Expr) -> bool:
        call = expr if isinstance(expr, m.Call) else None
        name = self.machine.names.qualified(call.func if call is not None else expr, self.scope)
        if name not in table.NO_GRAD:
            return False
        if call is None or not name.endswith("set_grad_enabled"):
            return True
        said = spoken(call.args[0].value, self.known) if call.args else None
        return said is not None and not said.truth

    def asked_for_norm(self) -> bool:
        """Whether an ``if`` around the statement asks what kind of module it is."""
        for test in self._questions:
            for node in walk(test):
                if isinstance(node, m.Name) and (
                    node.id in {"isinstance", "type", "issubclass"} or "BatchNorm" in node.id
                ):
                    return True
                if (
                    isinstance(node, m.Const)
                    and isinstance(node.value, str)
                    and ("Norm" in node.value or "bn" in node.value)
                ):
                    return True
                if isinstance(node, m.Attr) and node.name == "__class__":
                    return True
        return False


def _is_dummy(expr: m.Expr) -> bool:
    """``net(torch.zeros(1, 3, 32, 32))``: a pass that asks for a shape, or shows that the network runs."""
    func = expr.func if isinstance(expr, m.Call) else None
    if isinstance(func, m.Attr) and func.name in {"to", "cuda", "float", "half", "expand", "repeat", "requires_grad_"}:
        return _is_dummy(func.value)
    if isinstance(func, m.Attr) and func.name in table.DUMMIES:
        return isinstance(func.value, m.Name) and func.value.id in {"torch", "th"}
    if isinstance(func, m.Name) and func.id == "Variable" and isinstance(expr, m.Call) and expr.args:
        return _is_dummy(expr.args[0].value)
    return isinstance(expr, m.Name) and "dummy" in parts(expr.id)


def last_of(node: m.Node) -> int:
    """The last record number inside of a record: numbers grow in source order, so it is on the last branch."""
    while below := children(node):
        node = max(below, key=lambda n: n.at)
    return node.at
