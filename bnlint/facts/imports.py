"""Which files import which, read from the text alone: what a parsed file imports must be parsed as well."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from bnlint.frameworks.triggers import COMMON_TRIGGERS, FRAMEWORKS, TRIGGERS

_TRIGGERS = re.compile(TRIGGERS)
_FRAMEWORKS = re.compile(FRAMEWORKS)
# Both begin with a plain word, which is found fast; whether it begins its line is asked afterwards.
_FROM = re.compile(rb"from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]*)")
_IMPORT = re.compile(rb"import[ \t]+([\w., \t]+)")
# A module or class that is chosen by name may be any file's.
_BY_NAME = re.compile(rb"\bimport_module\(|\b__import__\(|\beval\(['\"]")
_TORCH = re.compile(
    rb"(?:from|import)[ \t]+[\w., \t]*\b(?:torch\w*|lightning|pytorch_lightning|timm|transformers|accelerate"
    rb"|segmentation_models_pytorch|ignite|apex|monai|kornia)\b"
)
_CHOOSERS = (b"import_module(", b"__import__(", b"eval(")  # one of them is in whatever _BY_NAME finds
_WORD = re.compile(rb"\w+")


class Imported(NamedTuple):
    """``from ..module import names``, or ``import module`` without any names."""

    dots: int
    module: tuple[str, ...]
    names: tuple[str, ...] = ()


class Outline(NamedTuple):
    """What is asked of every text before any is parsed.

    `triggered` says that it holds a word which rules react to, `framework` that it speaks of a framework, `torch` that
    it imports torch, `by_name` that it chooses modules by name, `hands_on` that it may only pass on the names of others.
    """

    triggered: bool
    framework: bool
    torch: bool
    by_name: bool
    hands_on: bool
    imports: tuple[Imported, ...]


def outline(data: bytes) -> Outline:
    """The outline of a text that is not empty."""
    return Outline(
        any(word in data for word in COMMON_TRIGGERS) or _TRIGGERS.search(data) is not None,
        _FRAMEWORKS.search(data) is not None,
        _TORCH.search(data) is not None,
        any(word in data for word in _CHOOSERS) and _BY_NAME.search(data) is not None,
        b"import *" in data or len(data) < 4_000,
        tuple(_imports(data)),
    )


def _imports(data: bytes) -> Iterator[Imported]:
    for match in _at_line_starts(_FROM, data):
        yield Imported(len(match[1]), _split(match[2]), tuple(word.decode() for word in _WORD.findall(match[3])))
    for match in _at_line_starts(_IMPORT, data):
        for part in match[1].split(b","):
            if names := _split(part.split()[0] if part.split() else b""):
                yield Imported(0, names)


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

    def meant(self, number: int, path: str, imports: Iterable[Imported]) -> Iterator[int]:
        """The files that the imports of file `number` may mean."""
        folder = tuple(path.split("/")[:-1])
        here = self.parts[number] if path.endswith("__init__.py") else self.parts[number][:-1]
        for one in imports:
            if one.dots:
                base = (*here[: len(here) - one.dots + 1], *one.module)
                yield from self.exact(base)
                for name in one.names:
                    yield from self.exact((*base, name))
            elif one.module:
                yield from self.absolute(folder, one.module)
                for name in one.names:
                    yield from self.absolute(folder, (*one.module, name))

    def exact(self, parts: tuple[str, ...]) -> Iterator[int]:
        for number in self.by_stem.get(parts[-1] if parts else "", ()):
            if self.parts[number] == parts:
                yield number


Group: TypeAlias = tuple[int, ...]


class Needed(NamedTuple):
    """Numbers of the files to parse, and which of them each imports."""

    numbers: tuple[int, ...]
    links: dict[int, frozenset[int]]

    def groups(self) -> list[Group]:
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


def needed(paths: Sequence[str], outlines: Sequence[Outline | None]) -> Needed:
    """The files to parse: those with a trigger that speak of a framework or import a file of the project, and, again and
    again, the files they import if these speak of a framework, import one that does, or only hand names on.

    The outline of a file without any text is None.
    """
    index = _Index(paths)
    links: dict[int, frozenset[int]] = {}
    frameworks = {number for number, one in enumerate(outlines) if one is not None and one.framework}

    def imports(number: int) -> frozenset[int]:
        if number not in links:
            one = outlines[number]
            found = index.meant(number, paths[number], one.imports) if one is not None else ()
            links[number] = frozenset(found)
        return links[number]

    triggered = [number for number, one in enumerate(outlines) if one is not None and one.triggered]
    stack = [number for number in triggered if number in frameworks or imports(number)]
    seen = set(stack)
    while stack:
        for other in imports(stack.pop()):
            one = outlines[other]
            if other in seen or one is None:
                continue
            hands_on = one.hands_on or paths[other].endswith("__init__.py")
            if other in frameworks or hands_on or imports(other) & frameworks:
                seen.add(other)
                stack.append(other)
    found = Needed(tuple(sorted(seen)), {number: imports(number) for number in seen})
    return found._replace(links=found.links | _by_name(outlines, found))


def _by_name(outlines: Sequence[Outline | None], found: Needed) -> dict[int, frozenset[int]]:
    """Links of files that choose modules by name: to every program of torch, if they are part of one.

    Only networks of torch are looked for by name (:mod:`bnlint.project.torch.registries`).
    """
    known = {number: one for number in found.numbers if (one := outlines[number]) is not None}
    chosen = [number for number, one in known.items() if one.by_name]
    programs = [group for group in found.groups() if any(known[number].torch for number in group)] if chosen else []
    members = frozenset(number for group in programs for number in group)
    return {number: found.links[number] | members for number in chosen if number in members}


def _at_line_starts(pattern: re.Pattern[bytes], data: bytes) -> Iterator[re.Match[bytes]]:
    match = pattern.search(data)
    while match is not None:
        start = match.start()
        first = not data[data.rfind(b"\n", 0, start) + 1 : start].strip(b" \t")
        if first:
            yield match
        # What stands in a comment may open a bracket that it never closes.
        match = pattern.search(data, match.end() if first else start + 1)


def _split(name: bytes) -> tuple[str, ...]:
    return tuple(part.decode() for part in name.split(b".") if part)
