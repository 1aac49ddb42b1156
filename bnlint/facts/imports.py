"""Which files import which, read from the text alone: what a parsed file imports must be parsed as well."""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

# Both begin with a plain word, which is found fast; whether it begins its line is asked afterwards.
_FROM = re.compile(rb"from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]*)")
_IMPORT = re.compile(rb"import[ \t]+([\w., \t]+)")
# A module or class that is chosen by name may be any file's.
_BY_NAME = re.compile(rb"\bimport_module\(|\b__import__\(|\beval\(['\"]")
_TORCH = re.compile(
    rb"(?:from|import)[ \t]+[\w., \t]*\b(?:torch\w*|lightning|pytorch_lightning|timm|transformers|accelerate"
    rb"|segmentation_models_pytorch|ignite|apex|monai|kornia)\b"
)
_WORD = re.compile(rb"\w+")


class _Index:
    """Finds the files a module name may mean: those whose path ends with it."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.parts: list[tuple[str, ...]] = []
        self.by_stem: dict[str, list[int]] = {}
        for number, path in enumerate(paths):
            parts = path.rsplit(".", 1)[0].split("/")
            if parts[-1] == "__init__":
                parts.pop()
            self.parts.append(tuple(parts))
            self.by_stem.setdefault(parts[-1] if parts else "", []).append(number)

    def absolute(self, folder: tuple[str, ...], names: Sequence[str]) -> Iterator[int]:
        """As :class:`bnlint.project.modules.Modules` does: below the nearest folder above, else the only one there is."""
        wanted = tuple(names)
        fitting = [n for n in self.by_stem.get(wanted[-1], ()) if self.parts[n][-len(wanted) :] == wanted]
        roots = {n: self.parts[n][: -len(wanted)] for n in fitting}
        above = [n for n in fitting if folder[: len(roots[n])] == roots[n]]
        if above:
            yield max(above, key=lambda n: len(roots[n]))
        elif len(fitting) == 1 and len(wanted) > 1:
            yield fitting[0]

    def exact(self, parts: tuple[str, ...]) -> Iterator[int]:
        for number in self.by_stem.get(parts[-1] if parts else "", ()):
            if self.parts[number] == parts:
                yield number


class Needed(NamedTuple):
    """Numbers of the files to parse, and which of them each imports."""

    numbers: tuple[int, ...]
    links: dict[int, frozenset[int]]

    def groups(self) -> list[tuple[int, ...]]:
        """Files that reach each other by imports, in either direction: each group is a program of its own."""
        leader = {number: number for number in self.numbers}

        def find(number: int) -> int:
            while leader[number] != number:
                leader[number] = leader[leader[number]]
                number = leader[number]
            return number

        for number, others in self.links.items():
            for other in others:
                if other in leader:
                    leader[find(other)] = find(number)
        members: dict[int, list[int]] = {}
        for number in self.numbers:
            members.setdefault(find(number), []).append(number)
        return [tuple(group) for group in members.values()]


def needed(files: Sequence[tuple[str, bytes]], triggered: Sequence[int], frameworks: AbstractSet[int]) -> Needed:
    """The files to parse: those `triggered` that speak of a framework or import a file of the project, and, again and
    again, the files they import if these speak of a framework, import one that does, or only hand names on.
    """
    index = _Index([path for path, _ in files])
    links: dict[int, frozenset[int]] = {}

    def imports(number: int) -> frozenset[int]:
        if number not in links:
            links[number] = frozenset(_imported(index, number, *files[number]))
        return links[number]

    stack = [number for number in triggered if number in frameworks or imports(number)]
    seen = set(stack)
    while stack:
        for other in imports(stack.pop()):
            if other in seen or not files[other][1]:
                continue
            if other in frameworks or _hands_on(*files[other]) or imports(other) & frameworks:
                seen.add(other)
                stack.append(other)
    found = Needed(tuple(sorted(seen)), {number: links[number] for number in seen})
    chosen = [number for number in seen if _BY_NAME.search(files[number][1])]
    return found._replace(links=found.links | _by_name(files, found, chosen)) if chosen else found


def _by_name(files: Sequence[tuple[str, bytes]], found: Needed, chosen: Sequence[int]) -> dict[int, frozenset[int]]:
    """Links of files that choose modules by name: to every program of torch, if they are part of one.

    Only networks of torch are looked for by name (:mod:`bnlint.project.torch.registries`).
    """
    programs = [group for group in found.groups() if any(_TORCH.search(files[number][1]) for number in group)]
    members = frozenset(number for group in programs for number in group)
    return {number: found.links[number] | members for number in chosen if number in members}


def _hands_on(path: str, data: bytes) -> bool:
    return path.endswith("__init__.py") or (b"import *" in data) or len(data) < 4_000


def _imported(index: _Index, number: int, path: str, data: bytes) -> Iterator[int]:
    folder = tuple(path.split("/")[:-1])
    here = index.parts[number] if path.endswith("__init__.py") else index.parts[number][:-1]
    for match in _at_line_starts(_FROM, data):
        dots, module, names = match[1], _split(match[2]), match[3]
        words = [word.decode() for word in _WORD.findall(names)]
        if dots:
            base = (*here[: len(here) - len(dots) + 1], *module)
            yield from index.exact(base)
            for word in words:
                yield from index.exact((*base, word))
        elif module:
            yield from index.absolute(folder, module)
            for word in words:
                yield from index.absolute(folder, (*module, word))
    for match in _at_line_starts(_IMPORT, data):
        for part in match[1].split(b","):
            if names_ := _split(part.split()[0] if part.split() else b""):
                yield from index.absolute(folder, names_)


def _at_line_starts(pattern: re.Pattern[bytes], data: bytes) -> Iterator[re.Match[bytes]]:
    match = pattern.search(data)
    while match is not None:
        start = match.start()
        first = not data[data.rfind(b"\n", 0, start) + 1 : start].strip(b" \t")
        if first:
            yield match
        # What stands in a comment may open a bracket that it never closes.
        match = pattern.search(data, match.end() if first else start + 1)


def _split(name: bytes) -> list[str]:
    return [part.decode() for part in name.split(b".") if part]
