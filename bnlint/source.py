"""Files of source code: discover, read, and the places in them."""

import fnmatch
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bnlint.errors import BnlintError

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
    """Which files belong to a run: patterns in the manner of gitignore's simple ones, matched on names and paths."""

    exclude: tuple[str, ...] = EXCLUDE
    gitignore: bool = True
    force_exclude: bool = False


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
    for path in paths:
        if not path.exists():
            raise BnlintError(f"{path}: no such file or folder; name files or folders that exist")
        for file in _named(path, selection):
            found.setdefault(_key(file), Source(shown(file), file))
    if around:
        for root in dict.fromkeys(root for path in (*paths, *around_of) if (root := project_root(path)) is not None):
            for count, file in enumerate(_walk(root, selection)):
                if count >= _MAX_AROUND:
                    break
                found.setdefault(_key(file), Source(shown(file), file, reported=False))
    return sorted(found.values(), key=lambda source: source.path)


def _key(file: Path) -> str:
    return os.path.realpath(file)


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
    if path.is_dir():
        yield from _walk(path, selection)
    elif not (selection.force_exclude and _excluder(selection.exclude)(shown(path), path.name)):
        yield path


def _excluder(patterns: Iterable[str]) -> Callable[[str, str], bool]:
    plain = {pattern for pattern in patterns if not set(pattern) & set("*?[/")}
    globs = [pattern.strip("/") for pattern in patterns if pattern not in plain]

    def excluded(path: str, name: str) -> bool:
        if name in plain or not plain.isdisjoint(path.split("/")):
            return True
        return any(
            fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(path, glob) or fnmatch.fnmatch(path, glob + "/*")
            for glob in globs
        )

    return excluded


def _walk(root: Path, selection: Selection) -> Iterator[Path]:
    """Source files below `root`, sorted; links to folders are not followed, so a loop of links is no danger."""
    top = str(root)
    excluded = _excluder(selection.exclude)
    ignored = _gitignored(root) if selection.gitignore else _nothing
    stack = [top]
    while stack:
        folder = stack.pop()
        below: list[str] = []
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            relative = os.path.relpath(entry.path, top).replace(os.sep, "/")
            if excluded(relative, entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if not ignored(relative + "/"):
                    below.append(entry.path)
            elif entry.name.endswith(SUFFIXES) and _is_file(entry) and not ignored(relative):
                yield Path(entry.path)
        stack.extend(reversed(below))


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _nothing(_path: str) -> bool:
    return False


def _gitignored(root: Path) -> Callable[[str], bool]:
    """Whether git would ignore a path below `root`: by the ignore files of `root` and of the folders above it.

    A file above that ignores `root` itself has no say: who names an ignored folder wants to see into it.
    """
    specs: list[tuple[str, Callable[[str], bool]]] = []
    prefix = ""
    for folder in (root, *root.absolute().parents):
        if (folder / ".gitignore").is_file():
            match = _spec(folder / ".gitignore")
            if not (prefix and match(prefix)):
                specs.append((prefix, match))
        if (folder / ".git").exists():
            break
        prefix = f"{folder.absolute().name}/{prefix}"
    else:
        return _nothing  # not in a git repository
    return lambda path: any(match(prefix + path) for prefix, match in specs)


def _spec(file: Path) -> Callable[[str], bool]:
    import pathspec

    lines = file.read_text("utf-8", "replace").splitlines()
    match: Callable[[str], bool] = pathspec.GitIgnoreSpec.from_lines(lines).match_file
    return match
