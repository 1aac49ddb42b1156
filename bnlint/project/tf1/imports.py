"""Which files make up one program: who imports whom, roots, closures."""

from collections.abc import Iterable, Iterator

from bnlint.project.names import Names
from bnlint.project.scopes import Imported, Scope


class Imports:
    """The graph of imports between the project's files."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._by_stem: dict[str, list[str]] = {}
        for path in names.files:
            parts = names.modules.parts(path)
            if parts:
                self._by_stem.setdefault(parts[-1], []).append(path)
        self._out: dict[str, frozenset[str]] = {path: frozenset(self._imported(path)) for path in names.files}
        self._in: dict[str, set[str]] = {}
        for path, others in self._out.items():
            for other in others:
                self._in.setdefault(other, set()).add(path)

    def roots(self, path: str) -> frozenset[str]:
        """Files from which a program that contains `path` can start: those above it that nobody imports."""
        above = self._reach({path}, self._in)
        roots = {file for file in above if not self._in.get(file, set()) - {file}}
        return frozenset(roots or {path})

    def closure(self, roots: Iterable[str]) -> frozenset[str]:
        """`roots` and all files they import, directly or not."""
        return frozenset(self._reach(set(roots), self._out))

    @staticmethod
    def _reach(start: set[str], edges: "dict[str, frozenset[str]] | dict[str, set[str]]") -> set[str]:
        seen = set(start)
        stack = list(start)
        while stack:
            for other in edges.get(stack.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    stack.append(other)
        return seen

    def _imported(self, path: str) -> Iterator[str]:
        for scope in self.names.scopes(path).values():
            for what in _imports_of(scope):
                yield from self._files(path, what)

    def _files(self, path: str, what: Imported) -> Iterator[str]:
        modules = self.names.modules
        found = modules.find(path, what.module, what.level)
        if found is not None and found.path != path:
            yield found.path
        if what.name is not None:
            below = modules.find(path, f"{what.module}.{what.name}".strip("."), what.level)
            if below is not None and below.path != path:
                yield below.path
                return
        if found is None and not what.level and "." not in what.module:
            # `sys.path.append("utils")` makes `import tf_util` mean utils/tf_util.py: taken if there is only one.
            same = self._by_stem.get(what.module, [])
            if len(same) == 1 and same[0] != path:
                yield same[0]


def _imports_of(scope: Scope) -> Iterator[Imported]:
    for bindings in scope.names.values():
        for binding in bindings:
            if binding.kind == "import":
                yield binding.node
    yield from scope.stars
