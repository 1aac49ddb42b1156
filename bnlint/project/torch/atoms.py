"""The words of the analysis of modes: objects by where they come from, the modes they may be in, what happened to them."""

from typing import Literal, NamedTuple

ModeWord = Literal["train", "eval", "entry", "unknown"]


class Loc(NamedTuple):
    """An object, named by where it comes from, as seen from inside one function.

    `kind` is ``param`` (`name`), ``outer`` (a variable `name` of the scope `path`), ``new`` (made at record `at` of
    `path`), or ``field`` (attribute or item `name` of `parent`; ``[]`` is any item, ``*`` any attribute).
    """

    kind: Literal["param", "outer", "new", "field"]
    name: str = ""
    path: str = ""
    at: int = -1
    parent: "Loc | None" = None

    def root(self) -> "Loc":
        """The object at the beginning of the chain of fields."""
        loc = self
        while loc.parent is not None:
            loc = loc.parent
        return loc

    def depth(self) -> int:
        """Number of fields from the root."""
        return 0 if self.parent is None else 1 + self.parent.depth()

    def words(self) -> str:
        """How a reader would write it: ``self.model``."""
        if self.kind != "field" or self.parent is None:
            return self.name or "the network"
        return (
            f"{self.parent.words()}{self.name}" if self.name.startswith("[") else f"{self.parent.words()}.{self.name}"
        )


class Atom(NamedTuple):
    """One mode an object may be in, and the place that put it there; `local` is that place in the present function.

    `how` is ``maybe`` where the switch was of one object among several, nobody knows which, or by something unknown.
    """

    word: ModeWord
    path: str = ""
    at: int = -1
    how: Literal["called", "made", "maybe", "entry"] = "entry"
    local: int = -1


class Mark(NamedTuple):
    """Something that happened to an object: loaded, trained, norms frozen …, and where."""

    what: str
    path: str
    at: int


Locs = frozenset[Loc]
Mode = frozenset[Atom]
NOBODY: Locs = frozenset()
ENTRY: Mode = frozenset({Atom("entry")})
UNKNOWN: Mode = frozenset({Atom("unknown")})


def doubt(path: str, at: int) -> Mode:
    """Unknown because of what stands there, and not because nobody knows how the object was made."""
    return frozenset({Atom("unknown", path, at, "maybe", at)})


class Modes(dict[Loc, Mode]):
    """Modes of objects, with those that another object holds by the object at the root: asked for at every switch."""

    __slots__ = ("_fields",)

    def __init__(self) -> None:
        super().__init__()
        self._fields: dict[Loc, tuple[Loc, ...]] = {}

    def __setitem__(self, loc: Loc, mode: Mode) -> None:
        if loc.parent is not None and loc not in self:
            root = loc.root()
            self._fields[root] = (*self._fields.get(root, ()), loc)
        super().__setitem__(loc, mode)

    def forget(self, loc: Loc) -> None:
        """Know nothing of an object."""
        if self.pop(loc, None) is not None and loc.parent is not None:
            root = loc.root()
            self._fields[root] = tuple([other for other in self._fields[root] if other != loc])

    def below(self, loc: Loc) -> list[Loc]:
        """Objects that are fields of `loc`, or of its fields."""
        fields = self._fields.get(loc if loc.parent is None else loc.root())
        return [other for other in fields if is_below(other, loc)] if fields else []

    def copy(self) -> "Modes":
        """An independent copy."""
        other = Modes()
        other.update(self)
        other._fields = dict(self._fields)
        return other


def is_below(loc: Loc, ancestor: Loc) -> bool:
    """Whether an object is a field of another, or of a field of it …."""
    step = loc.parent
    while step is not None:
        if step == ancestor:
            return True
        step = step.parent
    return False
