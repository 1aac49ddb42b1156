"""Summaries of all functions, each made once, and every use of a network with the modes it may meet."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bnlint.facts import model as m
from bnlint.project.calls import Calls
from bnlint.project.names import Definition, Names
from bnlint.project.scopes import Scope
from bnlint.project.torch.deciding import Deciding
from bnlint.project.torch.evaluation import FileContext, Signs, file_context, signs
from bnlint.project.torch.layers import Layers
from bnlint.project.torch.modes import Walker
from bnlint.project.torch.objects import Objects
from bnlint.project.torch.orphans import orphans, uses_of
from bnlint.project.torch.owners import Owners
from bnlint.project.torch.programs import Programs
from bnlint.project.torch.registries import Registries
from bnlint.project.torch.settling import Given, pruned
from bnlint.project.torch.states import ENTRY, Loc, Mark, State, join
from bnlint.project.torch.summary import Summary, Use
from bnlint.project.torch.words import Vocabulary

_MAX_NESTING = 60
_MAX_USES = 120
_MAX_WAYS = 6
_LIBRARIES = frozenset([
    "torch", "torchvision", "timm", "lightning", "pytorch_lightning", "transformers", "accelerate", "segmentation_models_pytorch", "ignite",
    "apex", "monai", "torch_geometric", "kornia",
])  # fmt: skip

Key = tuple[str, int]


class Machine(Objects):
    """Analyses functions on demand; what is in progress (recursion) or nested too deeply has no known effect."""

    def __init__(
        self, names: Names, calls: Calls, layers: Layers, owners: Owners, programs: Programs, vocabulary: Vocabulary
    ) -> None:
        super().__init__(names, calls, layers)
        self.owners = owners
        self.programs = programs
        self.vocabulary = vocabulary
        self.registries = Registries(names, calls, layers)
        self.deciding = Deciding(calls)
        self.called: set[Key] = set()
        self.constructed: set[Key] = set()  # classes of which some code makes an object
        self.unsettled: set[tuple[str, int]] = set()  # loops that were given up
        self._summaries: dict[tuple[Key, Given], Summary] = {}
        self._ways: dict[Key, set[Given]] = {}
        # Of a walk, only its uses are kept: the states of all functions would be most of the memory of a run.
        self._uses: dict[tuple[Key, Given], tuple[Scope, tuple[Use, ...]]] = {}
        self._files: dict[str, FileContext] = {}
        self._looks: dict[tuple[str, int, Given], Signs] = {}
        self._nesting = 0

    @staticmethod
    def key(scope: Scope) -> Key:
        """Identity of a function; a module's is (path, -1)."""
        return scope.path, scope.node.at if scope.node is not None else -1

    def file_context(self, file: m.FileFacts) -> FileContext:
        """What a whole file says of its purpose."""
        if file.path not in self._files:
            self._files[file.path] = file_context(file, self.vocabulary)
        return self._files[file.path]

    def look_at_loop(self, path: str, node: m.For | m.While, given: Given) -> Signs:
        """What the statements of a loop do, in a function that was told `given`; looked at once."""
        key = (path, node.at, given)
        if key not in self._looks:
            self._looks[key] = signs(node.body)
        return self._looks[key]

    def is_manager(self, function: Definition) -> bool:
        """Whether a function is a context manager made of a generator."""
        return any(
            (self.names.qualified(d, function.scope) or "").endswith("contextmanager")
            for d in getattr(function.node, "decorators", ())
        )

    def summary(self, function: Definition, given: Given = ()) -> Summary:
        """The effect of a function of the project, called with these words on the mode."""
        self.called.add(function.key)
        return self.look(function.scope, given)

    def look(self, scope: Scope, given: Given = ()) -> Summary:
        """Analyse a function or module, once for each thing it is told; after many of them as if told nothing."""
        ways = self._ways.setdefault(self.key(scope), set())
        if given and len(ways) >= _MAX_WAYS and given not in ways:
            given = ()
        ways.add(given)
        key = (self.key(scope), given)
        if key not in self._summaries:
            empty = Summary(key[0], getattr(scope.node, "name", ""))
            if self._nesting > _MAX_NESTING:
                return empty
            self._summaries[key] = empty
            self._nesting += 1
            self._summaries[key] = self._analyse(scope, key)
            self._nesting -= 1
        return self._summaries[key]

    def _analyse(self, scope: Scope, key: tuple[Key, Given]) -> Summary:
        file = self.names.files[scope.path]
        body = scope.node.body if isinstance(scope.node, m.Function) else file.body
        body, known = pruned(body, dict(key[1])) if key[1] else (body, {})
        walker = Walker(scope, self, file, body)
        walker.given, walker.known = key[1], known
        for param in scope.node.params if isinstance(scope.node, m.Function) else ():
            walker.state.env[param.name] = frozenset({Loc("param", param.name)})
        walker.run(body)
        self._uses[key] = scope, tuple(walker.uses.values())
        return self._summarise(walker, scope, key[0])

    def _summarise(self, walker: Walker, scope: Scope, key: Key) -> Summary:
        end = join(walker.ways_out) or State()
        uses = [use for use in walker.uses.values() if use.loc.root().kind != "new"]
        seen = _reachable(end, walker.returned)
        return Summary(
            key,
            getattr(scope.node, "name", ""),
            modes=tuple(sorted((loc, mode) for loc, mode in end.modes.items() if _leaves(loc, seen) and mode != ENTRY)),
            heap=tuple(
                (loc, name, parts)
                for loc, held in end.heap.items()
                if _leaves(loc, seen)
                for name, parts in held.items()
            ),
            marks=tuple((loc, marks) for loc, marks in end.marks.items() if _leaves(loc, seen) and marks),
            gone=tuple((loc, "thawed by") for loc, marks in end.marks.items() if _frozen(marks)),
            returns=frozenset(walker.returned),
            uses=tuple(uses[:_MAX_USES]),
        )

    # --- everything ---

    def all_uses(self) -> Iterator[tuple[Use, Scope, bool]]:
        """Every use at the top of its chain: with the scope that holds it, and whether that scope was ever called."""
        with _deep():
            for path in self.names.files:
                if self._is_torch(path):
                    for scope in self.names.scopes(path).values():
                        if scope.node is None or isinstance(scope.node, m.Function):
                            self.look(scope)
            for path in self.names.files:
                if self._is_torch(path):
                    for cls in orphans(self, path):
                        self._uses[cls.key, ()] = uses_of(self, cls)
        for (key, _), (scope, uses) in list(self._uses.items()):
            for use in uses:
                resolved = use.loc.root().kind == "new"
                if resolved or key not in self.called:
                    yield use, scope, resolved

    def _is_torch(self, path: str) -> bool:
        """Whether a file has to do with torch: its program imports it, and it does so itself or imports a file that may."""
        if not self.programs.imports(path, _LIBRARIES):
            return False
        scope = self.names.scope(path)
        for other in self.names.scopes(path).values():
            for bindings in other.names.values():
                for binding in bindings:
                    if binding.kind == "import" and self._leads_to_torch(binding.node.module, binding.node.level, path):
                        return True
        return any(self._leads_to_torch(star.module, star.level, path) for star in scope.stars)

    def _leads_to_torch(self, module: str, level: int, path: str) -> bool:
        if not level and module.split(".", 1)[0] in _LIBRARIES:
            return True
        return self.names.modules.find(path, module, level) is not None


def _leaves(loc: Loc, returned: frozenset[Loc]) -> bool:
    """Whether an object is known outside of the function."""
    root = loc.root()
    return root.kind != "new" or root in returned


def _reachable(state: State, returned: frozenset[Loc]) -> frozenset[Loc]:
    """New objects that outlive the function: returned, or held by something that does."""
    found = set(returned)
    grown = True
    while grown:
        grown = False
        for owner, held in state.heap.items():
            parts = frozenset().union(*held.values())
            if (owner.root().kind != "new" or owner.root() in found) and not parts <= found:
                found |= parts
                grown = True
    return frozenset(found)


def _frozen(marks: frozenset[Mark]) -> bool:
    return any(mark.what == "norms frozen" for mark in marks)


@contextmanager
def _deep() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 20_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
