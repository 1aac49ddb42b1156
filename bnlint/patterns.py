"""Patterns of paths in the manner of .gitignore: what is excluded, what git ignores, which files a choice speaks of.

Paths are written with forward slashes, relative to where the patterns belong; that of a folder ends with one.
"""

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

Match = Callable[[str], bool]


@cache
def matcher(*patterns: str) -> Match:
    """Whether a path, or a folder above it, matches one of `patterns`, as git would read them."""
    import pathspec

    match: Match = pathspec.GitIgnoreSpec.from_lines(patterns).match_file
    return match


class Excluder:
    """Whether a file or folder is excluded. Most patterns are plain names, which cost one look into a set."""

    def __init__(self, patterns: Iterable[str], base: Path) -> None:
        listed = [pattern for pattern in patterns if pattern]
        self.base = base
        self.plain = frozenset(pattern.strip("/") for pattern in listed if not set(pattern.strip("/")) & set("*?[!/\\"))
        rest = [pattern for pattern in listed if pattern.strip("/") not in self.plain]
        names = [pattern for pattern in rest if "/" not in pattern and not set(pattern) & set("!\\")]
        self.name = re.compile("|".join(map(fnmatch.translate, names)) if names else "(?!)")
        paths = [pattern for pattern in rest if pattern not in names]
        self.path = matcher(*paths) if paths else None

    def __call__(self, path: str, name: str, *, folder: bool = False) -> bool:
        """Whether the entry `name` at the absolute `path` is excluded by itself."""
        if name in self.plain or self.name.match(name):
            return True
        if self.path is None:
            return False
        inside = relative(path, self.base)
        return inside is not None and self.path(f"{inside}/" if folder else inside)

    def whole(self, file: Path) -> bool:
        """Whether `file`, or a folder above it and below the base, is excluded."""
        path = os.path.abspath(file)  # noqa: PTH100 - resolve() would follow links
        inside = relative(path, self.base)
        parts = file.parts if inside is None else inside.split("/")
        tops = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        folders = [True] * (len(parts) - 1) + [file.is_dir()]
        return any(
            self(os.path.join(self.base, top), name, folder=folder)  # noqa: PTH118 - text in, text out
            for top, name, folder in zip(tops, parts, folders, strict=True)
        )


def relative(path: str, base: Path) -> str | None:
    """`path` seen from `base`, or None where it is not below; both absolute, links not followed."""
    top = str(base).rstrip(os.sep) + os.sep
    return path[len(top) :].replace(os.sep, "/") if path.startswith(top) else None


# --- git --------------------------------------------------------------------------------------------------------------


class Ignore(NamedTuple):
    """One ignore file: the folder it speaks of, and its patterns, each with what it does: ignore, or except from that."""

    folder: str
    patterns: tuple[tuple[re.Pattern[str], bool], ...]

    def says(self, path: str) -> bool | None:
        """Whether it ignores the entry at `path` itself, whatever it says of the folders above; None if it says nothing."""
        return next((ignores for regex, ignores in reversed(self.patterns) if _matches(regex, path)), None)


def _matches(regex: re.Pattern[str], path: str) -> bool:
    """Whether the pattern means this entry: pathspec's also match what lies below, marked by a slash named ``ps_d``."""
    if "ps_d" not in regex.groupindex:
        return regex.match(path.removesuffix("/")) is not None  # ``gen/**`` is not gen itself
    found = regex.match(path)
    return found is not None and found.start("ps_d") in {-1, len(path) - 1}


Chain = tuple[Ignore, ...]
"""Ignore files from the outermost to the innermost: the last word counts."""


def ignore_file(folder: str, file: Path) -> Ignore:
    """The ignore file `file` of `folder`. One that cannot be read says nothing."""
    import pathspec

    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    compiled = pathspec.GitIgnoreSpec.from_lines(lines).patterns
    return Ignore(
        folder, tuple((one.regex, one.include) for one in compiled if one.regex is not None and one.include is not None)
    )


def ignored(path: str, chain: Chain, *, folder: bool = False) -> bool:
    """Whether git would ignore the entry at the absolute `path`, whose parents it does not ignore."""
    for one in reversed(chain):
        inside = path[len(one.folder.rstrip(os.sep)) + 1 :].replace(os.sep, "/")
        verdict = one.says(f"{inside}/" if folder else inside)
        if verdict is not None:
            return verdict
    return False


def chain_above(root: str) -> Chain | None:
    """What holds in `root` by the ignore files of the folders above it; None outside of git repositories.

    A file above that ignores `root` itself has no say: who names an ignored folder wants to see into it.
    """
    between: list[str] = []
    for folder in _up(root):
        if os.path.exists(os.path.join(folder, ".git")):  # noqa: PTH110, PTH118 - see relative()
            owners = between if folder == root else [folder, *between]
            files = [
                (folder, Path(folder, ".git", "info", "exclude")),
                *((one, Path(one, ".gitignore")) for one in owners),
            ]
            found = [ignore_file(owner, file) for owner, file in files if file.is_file()]
            return tuple(one for one in found if not _ignores_root(one, root))
        if folder != root:
            between.insert(0, folder)
    return None


def _up(root: str) -> Iterator[str]:
    yield root
    yield from map(str, Path(root).parents)


def _ignores_root(one: Ignore, root: str) -> bool:
    if one.folder == root:
        return False
    inside = root[len(one.folder.rstrip(os.sep)) + 1 :].replace(os.sep, "/").split("/")
    return any(one.says("/".join(inside[:end]) + "/") for end in range(1, len(inside) + 1))
