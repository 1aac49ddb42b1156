"""Which files belong to one program: those that imports join, in either direction."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property

from bnlint.facts import model as m
from bnlint.project.names import Names
from bnlint.project.scopes import Imported


class Programs:
    """Files grouped by their imports. A folder of scripts that do not know each other is many programs."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._importing: dict[tuple[str, AbstractSet[str]], bool] = {}

    def files(self, path: str) -> list[m.FileFacts]:
        """All files of the program that `path` belongs to."""
        return self._groups[self._root[path]]

    @cached_property
    def _root(self) -> dict[str, str]:
        above = {path: path for path in self.names.files}

        def top(path: str) -> str:
            while above[path] != path:
                above[path] = above[above[path]]
                path = above[path]
            return path

        for path in self.names.files:
            for other in self._imported(path):
                above[top(path)] = top(other)
        return {path: top(path) for path in self.names.files}

    @cached_property
    def _groups(self) -> dict[str, list[m.FileFacts]]:
        groups: dict[str, list[m.FileFacts]] = {}
        for path, root in self._root.items():
            groups.setdefault(root, []).append(self.names.files[path])
        return groups

    def imports(self, path: str, packages: AbstractSet[str]) -> bool:
        """Whether any file of the program that `path` belongs to imports one of these top-level packages."""
        key = (self._root[path], frozenset(packages))
        if key not in self._importing:
            self._importing[key] = any(
                not what.level and what.module.split(".", 1)[0] in packages
                for file in self.files(path)
                for what in self._imports_in(file.path)
            )
        return self._importing[key]

    def _imports_in(self, path: str) -> Iterator[Imported]:
        for scope in self.names.scopes(path).values():
            yield from (b.node for bindings in scope.names.values() for b in bindings if b.kind == "import")
            yield from scope.stars

    def _imported(self, path: str) -> set[str]:
        found: set[str] = set()
        for what in self._imports_in(path):
            for module in (what.module, f"{what.module}.{what.name}".strip(".")):
                file = self.names.modules.find(path, module, what.level)
                if file is not None:
                    found.add(file.path)
        return found
