"""How networks are put together: what stands directly before a batch norm, and what programs do around them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks import torch as table
from bnlint.project.names import Definition, External, Names, Value
from bnlint.project.scopes import Scope
from bnlint.project.torch.layers import Layers
from bnlint.project.torch.programs import Programs
from bnlint.project.torch.words import Vocabulary, names_in

_NN = ("torch.nn.",)
_BIASED = {
    **{f"Conv{n}d": 7 for n in (1, 2, 3)}, **{f"ConvTranspose{n}d": 7 for n in (1, 2, 3)}, "Linear": 2,
}  # fmt: skip
_MODE_QUESTIONS = frozenset({
    "train", "training", "eval", "mode", "phase", "test", "val", "valid", "validation", "isinstance", "hasattr", "none", "bn", "dropout", "mc", "freeze",
    "fix", "model", "net", "self", "deterministic", "inference", "split", "stage", "is",
})  # fmt: skip


class Pair(NamedTuple):
    """A layer and the batch norm that directly follows it."""

    first: m.Call
    norm: m.Expr
    name: str


class Structure:
    """Neighbours of batch norms, and calls that matter to them."""

    checkpoints = table.CHECKPOINTS
    distributed = table.DDP
    synchronisers = frozenset({"convert_sync_batchnorm", "SyncBatchNorm", "convert_syncbn_model", "NaiveSyncBatchNorm"})

    def __init__(self, names: Names, layers: Layers, programs: Programs, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.names = names
        self.layers = layers
        self.programs = programs
        self._norms: dict[tuple[str, str], bool] = {}

    # --- neighbours ---

    def biased(self, file: m.FileFacts) -> Iterator[Pair]:
        """Convolutions and linear layers with a bias, directly before a batch norm."""
        for first, norm, scope in self._neighbours(file):
            name = self._nn(first, scope)
            if name in _BIASED and not _gives(first, "bias", _BIASED[name]):
                yield Pair(first, norm, name)

    def dropped(self, file: m.FileFacts) -> Iterator[Pair]:
        """Dropouts directly before a batch norm."""
        for first, norm, scope in self._neighbours(file):
            name = self._nn(first, scope)
            if name in {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d"}:
                yield Pair(first, norm, name)

    def _neighbours(self, file: m.FileFacts) -> Iterator[tuple[m.Call, m.Expr, Scope]]:
        for scope in self.names.scopes(file.path).values():
            if isinstance(scope.node, m.Class):
                yield from self._in_forward(scope, file)
                continue
            nodes: list[m.Node] = [*scope.of(m.Call), *scope.of(m.Seq)]
            for node in nodes:
                for one, two in _in_row(node):
                    if isinstance(one, m.Call) and self._is_norm(two, scope):
                        yield one, two, scope

    def _in_forward(self, scope: Scope, file: m.FileFacts) -> Iterator[tuple[m.Call, m.Expr, Scope]]:
        """``self.bn(self.conv(x))`` in forward, of attributes that are set once."""
        binding = next((b for b in scope.names.get("forward", ()) if b.kind == "function"), None)
        if binding is None or not isinstance(scope.node, m.Class):
            return
        cls = Definition(scope.node, scope)
        uses: dict[str, int] = {}
        for node in walk(binding.node.body):
            if isinstance(node, m.Attr):
                uses[node.name] = uses.get(node.name, 0) + 1
        for node in walk(binding.node.body):
            if isinstance(node, m.Call) and len(node.args) == 1 and isinstance(node.args[0].value, m.Call):
                norm, first = self._attribute(node, cls), self._attribute(node.args[0].value, cls)
                single = isinstance(node.args[0].value.func, m.Attr) and uses.get(node.args[0].value.func.name) == 1
                if norm is not None and first is not None and single and self._is_norm(norm.expr, norm.scope):
                    assert isinstance(first.expr, m.Call)
                    yield first.expr, norm.expr, first.scope

    def _attribute(self, call: m.Call, cls: Definition) -> Value | None:
        func = call.func
        if not (isinstance(func, m.Attr) and isinstance(func.value, m.Name) and func.value.id == "self"):
            return None
        values = self.names.attribute_values(cls, func.name)
        return values[0] if len(values) == 1 and isinstance(values[0].expr, m.Call) else None

    def _is_norm(self, expr: m.Expr, scope: Scope) -> bool:
        return isinstance(expr, m.Call) and self.names.qualified(expr.func, scope) in table.BATCH_NORMS

    def _nn(self, call: m.Call, scope: Scope) -> str:
        name = self.names.qualified(call.func, scope) or ""
        return name.rsplit(".", 1)[-1] if name.startswith(_NN) else ""

    # --- programs ---

    def named(self, file: m.FileFacts, wanted: frozenset[str]) -> Iterator[m.Call]:
        """Calls of these functions."""
        for scope in self.names.scopes(file.path).values():
            for node in scope.of(m.Call):
                if self.names.qualified(node.func, scope) in wanted:
                    yield node

    def program_holds(self, path: str, kind: str = "BatchNorm") -> bool:
        """Whether the program makes a batch norm whose name holds `kind`."""
        root = (self.programs.files(path)[0].path, kind)
        if root not in self._norms:
            self._norms[root] = any(self._makes(file, kind) for file in self.programs.files(path))
        return self._norms[root]

    def _makes(self, file: m.FileFacts, kind: str) -> bool:
        norms = frozenset(name for name in table.BATCH_NORMS if kind in name or (kind == "BatchNorm" and "ABN" in name))
        return any(name in norms for name in self._layers_named(file))

    def _layers_named(self, file: m.FileFacts) -> Iterator[str]:
        """What is called, derived from, or given to a partial, by full name."""
        for scope in self.names.scopes(file.path).values():
            if isinstance(scope.node, m.Class):
                for base in self.names.bases(Definition(scope.node, scope)):
                    yield base.name if isinstance(base, External) else ""
            for node in scope.of(m.Call):
                name = self.names.qualified(node.func, scope) or ""
                yield name
                if name == "functools.partial" and node.args:
                    yield self.names.qualified(node.args[0].value, scope) or ""

    def short_batches(self, file: m.FileFacts) -> Iterator[m.Call]:
        """Training loaders that may end in a batch of one."""
        for call in self.named(
            file, frozenset({"torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader"})
        ):
            given = {arg.keyword for arg in call.args}
            stars = any(arg.star for arg in call.args)
            shuffled = any(
                a.keyword == "shuffle" and isinstance(a.value, m.Const) and a.value.value is True for a in call.args
            )
            trains = bool(call.args) and (self.vocabulary.says_training(call.args[0].value) or shuffled)
            if trains and not stars and not given & {"drop_last", "batch_sampler"} and "batch_size" in given:
                yield call

    # --- eval() in one branch ---

    @staticmethod
    def receiver(call: m.Call) -> str:
        """The name of what a method is called on."""
        assert isinstance(call.func, m.Attr) and isinstance(call.func.value, m.Name)
        return call.func.value.id

    def trains_by_name(self, file: m.FileFacts, call: m.Call) -> bool:
        """Whether the program puts a network of the same name in training mode."""
        name = self.receiver(call)
        return any(
            _is_switch(node)
            and self.receiver(node) == name
            and isinstance(node.func, m.Attr)
            and node.func.name == "train"
            for other in self.programs.files(file.path)
            for node in walk(other.body)
            if isinstance(node, m.Call)
        )

    def half_evaluated(self, file: m.FileFacts) -> Iterator[tuple[m.Call, m.If]]:
        """``if something: net.eval()`` in an evaluating function that uses the network either way."""
        for scope in self.names.scopes(file.path).values():
            if isinstance(scope.node, m.Function) and self.vocabulary.evaluating_name(scope.node.name):
                yield from self._half_in(scope.node)

    def _half_in(self, function: m.Function) -> Iterator[tuple[m.Call, m.If]]:
        switches = [n for n in walk(function.body) if isinstance(n, m.Call) and _is_switch(n)]
        if len(switches) != 1:
            return
        for statement in function.body:
            if isinstance(statement, m.If) and not statement.orelse and not names_in(statement.test) & _MODE_QUESTIONS:
                for inner in statement.body:
                    if (
                        isinstance(inner, m.Do)
                        and inner.value is switches[0]
                        and _used_after(function, statement, switches[0])
                    ):
                        yield switches[0], statement


def _in_row(node: m.Node) -> Iterator[tuple[m.Expr, m.Expr]]:
    row: list[m.Expr] = []
    if isinstance(node, m.Call) and isinstance(node.func, m.Attr | m.Name):
        last = node.func.name if isinstance(node.func, m.Attr) else node.func.id
        row = [arg.value for arg in node.args if arg.keyword is None] if last == "Sequential" else []
    elif isinstance(node, m.Seq) and node.kind == "list":
        row = list(node.items)
    yield from pairwise(row)


def _gives(call: m.Call, keyword: str, position: int) -> bool:
    plain = [arg for arg in call.args if arg.keyword is None]
    return any(arg.keyword == keyword or arg.star for arg in call.args) or len(plain) > position


def _is_switch(call: m.Call) -> bool:
    return isinstance(call.func, m.Attr) and call.func.name in {"eval", "train"} and isinstance(call.func.value, m.Name)


def _used_after(function: m.Function, statement: m.If, switch: m.Call) -> bool:
    assert isinstance(switch.func, m.Attr) and isinstance(switch.func.value, m.Name)
    name = switch.func.value.id
    later = tuple(s for s in function.body if s.at > statement.at)
    return switch.func.name == "eval" and any(
        isinstance(node, m.Call) and isinstance(node.func, m.Name) and node.func.id == name for node in walk(later)
    )
