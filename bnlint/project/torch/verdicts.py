"""From uses to mistakes: which calls of networks are in the wrong mode, with the way that leads there."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from bnlint.facts import model as m
from bnlint.project.calls import own_nodes
from bnlint.project.names import Definition, External, Parameter
from bnlint.project.scopes import Scope
from bnlint.project.torch.machine import Machine
from bnlint.project.torch.outside import Holding, is_module_name, zoo_of
from bnlint.project.torch.programs import Programs
from bnlint.project.torch.states import Atom
from bnlint.project.torch.summary import Step, Use
from bnlint.project.torch.surroundings import last_of

Confidence = Literal["high", "medium", "low"]


class Verdict(NamedTuple):
    """A mistake: where to report it, of which network, how sure, and the places that led there."""

    path: str
    at: int
    network: str
    layer: str
    confidence: Confidence
    way: tuple[tuple[str, int, str], ...]
    use: Use


class Verdicts:
    """All uses of the project, judged once and kept by file."""

    def __init__(self, machine: Machine, programs: Programs, judges: "dict[str, Judge]") -> None:
        self.judges = judges
        self.machine = machine
        self.programs = programs
        self._norms: dict[str, bool] = {}

    @cached_property
    def uses(self) -> list[tuple[Use, Scope, bool]]:
        """Every use at the top of its chain."""
        return list(self.machine.all_uses())

    def program_has_modes(self, path: str) -> bool:
        """Whether any network class of the program holds a layer with a mode, so that an unknown one may too."""
        return any(self.file_has_modes(file.path) for file in self.programs.files(path))

    def program_may_have_modes(self, path: str) -> bool:
        """Whether the program has network classes with a mode, or calls a zoo of networks."""
        if self.program_has_modes(path):
            return True
        names = self.machine.names
        for file in self.programs.files(path):
            for scope in names.scopes(file.path).values():
                for node in own_nodes(scope):
                    name = names.qualified(node.func, scope) if isinstance(node, m.Call) else None
                    zoo = zoo_of(name) if name is not None else None
                    if zoo is not None and zoo.holds:
                        return True
        return False

    def file_has_modes(self, path: str) -> bool:
        """Whether a network class of this file holds a layer with a mode."""
        return any(held.sensitive == "yes" for held in self._held_in(path))

    def may_hold_batch_norm(self, expr: m.Expr, scope: Scope) -> bool:
        """Whether a network holds a batch norm, or is unknown in a project whose own networks do."""
        maker = self.machine.calls.instance(expr, scope) or self._annotated(expr, scope)
        if isinstance(maker, Definition) or (isinstance(maker, External) and is_module_name(maker.name)):
            holding = self.machine.layers.of(maker)
            if holding.sensitive != "maybe":
                return holding.batch_norm
        return any(held.batch_norm for file in self.programs.files(scope.path) for held in self._held_in(file.path))

    def _annotated(self, expr: m.Expr, scope: Scope) -> Definition | External | None:
        """The class that a parameter is said to be of; a base that anything may derive from says nothing."""
        names = self.machine.names
        meaning = names.resolve(expr, scope)
        if not isinstance(meaning, Parameter) or meaning.param.annotation is None:
            return None
        cls = names.resolve(meaning.param.annotation, meaning.scope.parent or meaning.scope)
        return cls if isinstance(cls, Definition) and isinstance(cls.node, m.Class) else None

    def _held_in(self, path: str) -> Iterator[Holding]:
        layers = self.machine.layers
        for scope in self.machine.names.scopes(path).values():
            if isinstance(scope.node, m.Class):
                cls = Definition(scope.node, scope)
                if layers.is_module(cls):
                    yield layers.of(cls)

    def of(self, kind: str, path: str) -> list[Verdict]:
        """Mistakes of one kind in one file, one for each place."""
        return self._by_kind[kind].get(path, [])

    @cached_property
    def _by_kind(self) -> dict[str, dict[str, list[Verdict]]]:
        found: dict[str, dict[str, list[Verdict]]] = {kind: {} for kind in self.judges}
        seen: set[tuple[str, str, int]] = set()
        for use, scope, resolved in self.uses:
            for kind, judge in self.judges.items():
                verdict = judge(self, use, scope, resolved)
                if verdict is None:
                    continue
                key = (kind, verdict.path, self._statement(verdict) if kind == "eval missing" else verdict.at)
                if key not in seen:
                    seen.add(key)
                    found[kind].setdefault(verdict.path, []).append(verdict)
        return found

    def _statement(self, verdict: Verdict) -> int:
        """One report for each function and network: its first call."""
        return hash((verdict.use.function, verdict.network)) & 0x7FFFFFFF

    # --- helpers ---

    def inside(self, use: Use, atom: Atom) -> bool:
        """Whether the mode was set in the very function that uses the network, before the use, in the same call of it."""
        return (
            atom.path == use.path
            and (not use.chain or atom.local == use.local)
            and atom.at < use.at
            and self._extent(use.function)[0] <= atom.at <= self._extent(use.function)[1]
        )

    def _extent(self, key: tuple[str, int]) -> tuple[int, int]:
        path, at = key
        scope = self.machine.names.scopes(path)[at if at >= 0 else None]
        if scope.node is None:
            return 0, 1 << 40
        return self.range_of(scope.node)

    @staticmethod
    def range_of(node: m.Node) -> tuple[int, int]:
        """First and last record number of a statement."""
        return node.at, last_of(node)

    def verdict(
        self,
        use: Use,
        holding: Holding,
        confidence: Confidence,
        way: list[tuple[str, int, str]],
        place: Step | None = None,
    ) -> Verdict:
        """A verdict with its place: the use itself unless told otherwise."""
        path, at = (place.path, place.at) if place is not None else (use.path, use.at)
        words = self.machine.words(use.loc)
        steps = [(step.path, step.at, "called from here") for step in use.chain]
        return Verdict(path, at, words, holding.layer or "layers with a mode", confidence, (*way, *steps), use)


Judge: TypeAlias = Callable[[Verdicts, Use, Scope, bool], Verdict | None]


def words_of(use: Use) -> set[str]:
    """The modes that a use may meet."""
    return {atom.word for atom in use.mode}


def how(atom: Atom, network: str) -> str:
    """What a switch or a construction says of the network."""
    return (
        f"{network} is put in training mode here"
        if atom.how == "called"
        else f"{network} is made here, in training mode"
    )


def is_no_grad(machine: Machine, context: m.Expr, scope: Scope) -> bool:
    """Whether a context manager turns gradients off."""
    func = context.func if isinstance(context, m.Call) else context
    return machine.names.qualified(func, scope) in {"torch.no_grad", "torch.inference_mode"}
