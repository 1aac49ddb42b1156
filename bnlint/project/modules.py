"""Which file an import means: names of modules against the paths of the project's files."""

from collections.abc import Iterable
from functools import cache
from pathlib import PurePosixPath

from bnlint.facts.model import FileFacts
from bnlint.frameworks.triggers import FRAMEWORK_PACKAGES

Parts = tuple[str, ...]


@cache
def _folder(path: str) -> Parts:
    return PurePosixPath(path.replace("\\", "/")).parent.parts


class Modules:
    """Files by the tail of their dotted name.

    Python finds absolute imports from the folders on ``sys.path``, which no file states. A file is taken for the
    import ``a.b`` if its path ends in ``a/b.py`` or ``a/b/__init__.py`` and the folder that holds ``a`` is one of the
    folders above the importing file (the nearest wins), or, failing that, if it is the only such file of the project.
    """

    def __init__(self, files: Iterable[FileFacts]) -> None:
        self._by_tail: dict[str, list[tuple[Parts, FileFacts]]] = {}
        self._by_parts: dict[Parts, FileFacts] = {}
        self._found: dict[tuple[Parts, str, int], FileFacts | None] = {}
        for file in files:
            parts = self.parts(file.path)
            self._by_parts[parts] = file
            if parts:
                self._by_tail.setdefault(parts[-1], []).append((parts, file))

    @staticmethod
    @cache
    def parts(path: str) -> Parts:
        """Folders and name of a module's path, without ``.py`` and ``__init__``."""
        pure = PurePosixPath(path.replace("\\", "/"))
        folder = pure.parent.parts
        return folder if pure.name == "__init__.py" else (*folder, pure.stem)

    def find(self, importer: str, module: str, level: int) -> FileFacts | None:
        """The project's file that ``import module`` in the file `importer` means, if any."""
        key = (_folder(importer), module, level)
        if key not in self._found:
            self._found[key] = self._find(*key)
        return self._found[key]

    def _find(self, folder: Parts, module: str, level: int) -> FileFacts | None:
        if level:
            base = folder[: len(folder) - (level - 1)] if level > 1 else folder
            return self._by_parts.get((*base, *(module.split(".") if module else ())))
        return self._absolute(folder, tuple(module.split(".")))

    def ending(self, module: str) -> list[FileFacts]:
        """All files whose dotted name is `module` or ends with it."""
        wanted = tuple(module.split("."))
        return [file for parts, file in self._by_tail.get(wanted[-1], ()) if parts[-len(wanted) :] == wanted]

    def submodule(self, package: FileFacts, name: str) -> FileFacts | None:
        """The file of submodule `name` of a package's ``__init__.py``."""
        return self._by_parts.get((*self.parts(package.path), name))

    def _absolute(self, folder: Parts, wanted: Parts) -> FileFacts | None:
        fitting = [
            (parts[: -len(wanted)], file)
            for parts, file in self._by_tail.get(wanted[-1], ())
            if parts[-len(wanted) :] == wanted
        ]
        if wanted[0] in FRAMEWORK_PACKAGES:
            # Below another package it is that package's own folder (``converter/tensorflow``), not the framework.
            fitting = [(root, file) for root, file in fitting if root not in self._by_parts]
        above = [(root, file) for root, file in fitting if folder[: len(root)] == root]
        if above:
            return max(above, key=lambda pair: len(pair[0]))[1]
        return fitting[0][1] if len(fitting) == 1 and len(wanted) > 1 else None
