"""Files of source code: discover, read, and the places in them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bnlint.errors import BnlintError
from bnlint.patterns import Chain, Excluder, chain_above, ignore_file, ignored

SUFFIXES = (".py", ".pyi", ".ipynb")
EXCLUDE = (
    ".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "__pypackages__", "__pycache__", ".eggs", "*.egg-info", "node_modules",
    ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".bnlint_cache", "site-packages", "build", "dist",
)  # fmt: skip
_ROOT_MARKS = ("bnlint.toml", "pyproject.toml", ".git", "setup.cfg", "setup.py")
# More files than this around the named ones are somebody's home, not a project.
_MAX_AROUND = 20_000


class Span(NamedTuple):
    """A range of text: 1-based lines and columns, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Source(NamedTuple):
    """One file: `path` as it is reported, where it is (`file`) or what it holds (`data`).

    A source that is not `reported` is only read to understand the others.
    """

    path: str
    file: Path | None = None
    data: bytes | None = None
    reported: bool = True

    def read(self) -> bytes:
        """The bytes of the file.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        if self.data is not None:
            return self.data
        assert self.file is not None
        return self.file.read_bytes()


class Selection(NamedTuple):
    """Which files belong to a run: patterns in the manner of .gitignore; those with a slash are relative to `base`."""

    exclude: tuple[str, ...] = EXCLUDE
    gitignore: bool = True
    force_exclude: bool = False
    base: Path = Path()

    def excluder(self) -> Excluder:
        """What tells whether a file or folder is excluded."""
        return Excluder(self.exclude, self.base.absolute())


def shown(file: Path, cwd: Path | None = None) -> str:
    """`file` as reports name it: relative to the working directory where that is shorter, with forward slashes."""
    here = str(cwd or Path.cwd())
    absolute = os.path.abspath(file)  # noqa: PTH100 - resolve() would follow symlinks and rename files
    if absolute.startswith(here.rstrip(os.sep) + os.sep):
        absolute = os.path.relpath(absolute, here)
    return absolute.replace(os.sep, "/")


def discover(
    paths: Sequence[Path], selection: Selection, *, around: bool = True, around_of: Sequence[Path] = ()
) -> list[Source]:
    """Sources of a run, sorted by path: what `paths` name, and (`around`) the rest of their projects to understand them.

    The projects of the files `around_of` are read as well, without reporting on these files; they need not exist.

    Raises
    ------
    BnlintError
        If a path does not exist.
    """
    found: dict[str, Source] = {}
    folders = _Folders()
    for path in paths:
        if not path.exists():
            raise BnlintError(f"{path}: no such file or folder; name files or folders that exist")
        for file in _named(path, selection):
            found.setdefault(folders.real(file), Source(folders.shown(file), file))
    if around:
        roots = dict.fromkeys(root for path in (*paths, *around_of) if (root := project_root(path)) is not None)
        for root in (root for root in roots if root not in paths):
            for count, file in enumerate(_walk(root, selection)):
                if count >= _MAX_AROUND:
                    break
                found.setdefault(folders.real(file), Source(folders.shown(file), file, reported=False))
    return sorted(found.values(), key=lambda source: source.path)


class _Folders:
    """What is the same for all files of a folder: asking it for each of them was most of the time of a warm run."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}
        self._shown: dict[str, str] = {}

    def real(self, file: Path) -> str:
        """The file that is meant, whatever links lead to it."""
        if os.path.islink(file):  # noqa: PTH114 - the same call, without another Path
            return os.path.realpath(file)
        folder, name = os.path.split(file)
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return f"{self._real[folder].rstrip(os.sep)}{os.sep}{name}"

    def shown(self, file: Path) -> str:
        """As :func:`shown`."""
        folder, name = os.path.split(file)
        if folder not in self._shown:
            self._shown[folder] = shown(Path(folder, "x"))[:-1]
        return self._shown[folder] + name


def project_root(path: Path) -> Path | None:
    """The nearest folder at or above `path` that looks like the root of a project, unless it is a home or the root."""
    start = Path(os.path.abspath(path))  # noqa: PTH100 - see shown
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        if folder in {Path.home(), Path(folder.anchor)}:
            return None
        if any((folder / mark).exists() for mark in _ROOT_MARKS):
            return folder
    return None


def _named(path: Path, selection: Selection) -> Iterator[Path]:
    if selection.force_exclude and selection.excluder().whole(path):
        return
    if path.is_dir():
        yield from _walk(path, selection)
    else:
        yield path


def _walk(root: Path, selection: Selection) -> Iterator[Path]:
    """Source files below `root`, sorted; links to folders are not followed, so a loop of links is no danger."""
    top = os.path.abspath(root)  # noqa: PTH100 - see shown
    excluded = selection.excluder()
    chain = chain_above(top) if selection.gitignore else None
    stack = [(str(root), top, chain)]
    while stack:
        folder, absolute, chain = stack.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        if chain is not None and any(entry.name == ".gitignore" for entry in entries):
            chain = (*chain, ignore_file(absolute, Path(folder, ".gitignore")))
        below: list[tuple[str, str, Chain | None]] = []
        for entry in entries:
            path = f"{absolute.rstrip(os.sep)}{os.sep}{entry.name}"
            is_folder = entry.is_dir(follow_symlinks=False)
            if not (is_folder or entry.name.endswith(SUFFIXES)) or excluded(path, entry.name, folder=is_folder):
                continue
            if chain and ignored(path, chain, folder=is_folder):
                continue
            if is_folder:
                below.append((entry.path, path, chain))
            elif _is_file(entry):
                yield Path(entry.path)
        stack.extend(reversed(below))


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
