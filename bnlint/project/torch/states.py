"""The abstract state of a program point: which name means which object, and which mode each object may be in."""

from collections.abc import Iterable

from bnlint.project.torch.atoms import ENTRY, NOBODY, UNKNOWN, Atom, Loc, Locs, Mark, Mode, Modes, doubt, is_below

__all__ = [
    "ENTRY",
    "NOBODY",
    "UNKNOWN",
    "Atom",
    "Loc",
    "Locs",
    "Mark",
    "Mode",
    "State",
    "capped",
    "doubt",
    "few",
    "is_below",
    "join",
]

_MAX_OBJECTS = 6
_MAX_FIELDS = 5
_NONE: dict[str, Locs] = {}


class State:
    """A program point. Mutable; copied where control splits."""

    __slots__ = ("env", "heap", "marks", "modes", "saved")

    def __init__(self) -> None:
        self.env: dict[str, Locs] = {}
        self.heap: dict[Loc, dict[str, Locs]] = {}  # the inner dictionaries are shared, so never changed in place
        self.modes = Modes()
        self.marks: dict[Loc, frozenset[Mark]] = {}
        self.saved: dict[str, tuple[Locs, dict[Loc, Mode]]] = {}

    def copy(self) -> "State":
        """An independent copy."""
        other = State()
        other.env, other.heap = dict(self.env), dict(self.heap)
        other.modes, other.marks, other.saved = self.modes.copy(), dict(self.marks), dict(self.saved)
        return other

    def past(self) -> "State":
        """The modes as they are now, to be asked later."""
        other = State()
        other.modes = self.modes.copy()
        return other

    def same(self, other: "State") -> bool:
        """Whether both know the same (a fixed point is reached)."""
        return (
            self.modes == other.modes
            and self.env == other.env
            and self.heap == other.heap
            and self.marks == other.marks
        )

    def restless(self, before: "State") -> set[Loc]:
        """Objects whose mode, or what they hold, is not what it was one round of the loop before."""
        moved = {loc for loc in self.modes.keys() | before.modes.keys() if self.modes.get(loc) != before.modes.get(loc)}
        names = {name for name in self.env if self.env[name] != before.env.get(name)}
        owners = {owner for owner in self.heap if self.heap[owner] != before.heap.get(owner)}
        return moved | owners | {loc for name in names for loc in self.env[name]}

    # --- objects ---

    def held(self, owner: Loc) -> dict[str, Locs]:
        """What an object holds, by attribute or item; not to be changed."""
        return self.heap.get(owner, _NONE)

    def hold(self, owner: Loc, name: str, locs: Locs) -> None:
        """Give an attribute or item of an object its objects."""
        self.heap[owner] = {**self.heap.get(owner, _NONE), name: locs}

    def field(self, owners: Locs, name: str) -> Locs:
        """The objects that attribute or item `name` of `owners` may be."""
        found: set[Loc] = set()
        for owner in owners:
            held = self.heap.get(owner, _NONE)
            known = held.get(name)
            if known is None and name == "[]":
                items = [locs for key, locs in held.items() if key.startswith("[")]
                known = frozenset().union(*items) if items else None
            if known is None and name.startswith("["):
                known = held.get("[]")
            if known is not None:
                found |= known
            elif not (owner in self.heap and not held) and owner.depth() < _MAX_FIELDS:  # not a list of mere numbers
                found.add(Loc("field", name, parent=owner))
        return capped(found)

    def together(self, locs: Locs) -> bool:
        """Whether objects are one thing made in different ways, and not several: whoever holds one may hold all."""
        if len(locs) < 2:
            return True
        held = [parts for fields in self.heap.values() for parts in fields.values()]
        return all(locs <= others for others in (*self.env.values(), *held) if locs & others)

    # --- modes ---

    def mode(self, loc: Loc) -> Mode:
        """Modes the object may be in: its own, else that of what holds it, else as on entry."""
        step: Loc | None = loc
        while step is not None:
            if step in self.modes:
                return self.modes[step]
            if step.parent is not None:
                if step.name.startswith("[") and (any_item := Loc("field", "[]", parent=step.parent)) in self.modes:
                    return self.modes[any_item]
                if Loc("field", "*", parent=step.parent) in self.modes:
                    return UNKNOWN
            step = step.parent
        return ENTRY if loc.root().kind != "new" else UNKNOWN

    def effective(self, loc: Loc) -> Mode:
        """The mode that a call of the object meets: unknown too where a part of it was put in another mode."""
        own = self.mode(loc)
        words = {atom.word for atom in own}
        for other in self.modes.below(loc):
            if {a.word for a in self.modes[other]} - words:
                return own | UNKNOWN
        for part in self._parts(loc):
            # What is only kept of something else (``self.width = config.width``) and unknown is hardly a network.
            known = words if part.kind == "new" else words | {"unknown"}
            if {a.word for a in self.modes.get(part, ())} - known:
                return own | UNKNOWN
        return own

    def set_mode(self, locs: Locs, mode: Mode) -> None:
        """Put objects and all they hold in a mode."""
        stack, seen = list(locs), set[Loc]()
        while stack:
            loc = stack.pop()
            if loc in seen:
                continue
            seen.add(loc)
            self.modes[loc] = mode
            for other in self.modes.below(loc):
                self.modes.forget(other)
            stack.extend(self._parts(loc))
            if loc.name == "*" and loc.parent is not None:  # one of its parts, nobody knows which
                for part in self._parts(loc.parent):
                    self.modes[part] = UNKNOWN

    def _parts(self, loc: Loc) -> list[Loc]:
        return [part for parts in self.heap.get(loc, _NONE).values() for part in parts if part != loc]

    def parts_below(self, loc: Loc) -> tuple[Loc, ...]:
        """New objects that the object holds, directly or through others; a few of them."""
        found: list[Loc] = []
        stack = self._parts(loc)
        while stack and len(found) < 12:
            part = stack.pop()
            if part not in found:
                found.append(part)
                stack.extend(self._parts(part))
        return tuple(found)

    # --- marks ---

    def mark(self, locs: Locs, what: str, path: str, at: int) -> None:
        """Note that something happened to objects."""
        for loc in locs:
            self.marks[loc] = self.marks.get(loc, frozenset()) | {Mark(what, path, at)}

    def unmark(self, locs: Locs, what: str) -> list[Mark]:
        """Forget it; gives what was noted."""
        gone: list[Mark] = []
        for loc in locs:
            old = self.marks.get(loc, frozenset())
            hit = {mark for mark in old if mark.what == what}
            if hit:
                self.marks[loc] = old - hit
                gone.extend(sorted(hit))
        return gone

    def marked(self, loc: Loc, what: str) -> Mark | None:
        """The first such note on the object or on what holds it."""
        step: Loc | None = loc
        while step is not None:
            hits = sorted(mark for mark in self.marks.get(step, ()) if mark.what == what)
            if hits:
                return hits[0]
            step = step.parent
        return None


def capped(locs: Iterable[Loc]) -> Locs:
    """Few enough objects to go on with."""
    found = locs if isinstance(locs, frozenset) else frozenset(locs)
    return found if len(found) <= _MAX_OBJECTS else frozenset(sorted(found, key=repr)[:_MAX_OBJECTS])


def few(atoms: Iterable[Atom]) -> Mode:
    """One atom for each word and local place, so that states stay small: the first in source order."""
    kept: dict[tuple[str, int, str], Atom] = {}
    for atom in sorted(atoms):
        kept.setdefault((atom.word, atom.local, atom.how), atom)
    return frozenset(list(kept.values())[:12])


def _joined(one: dict[str, Locs], two: dict[str, Locs]) -> dict[str, Locs]:
    if one is two or one == two:
        return one
    return {**one, **{name: capped(one.get(name, NOBODY) | locs) for name, locs in two.items()}}


def _that_know(loc: Loc, states: list[State]) -> list[State]:
    """The states in which an object exists: one that was made on one way only says nothing about its mode on another."""
    root = loc.root()
    if root.kind != "new":
        return states
    field_of_unknown = loc.parent is not None and not any(root in state.modes for state in states)
    return [state for state in states if loc in state.modes or root in state.modes or field_of_unknown]


def join(states: Iterable[State | None]) -> State | None:
    """What holds where several ways meet; None for no way at all."""
    alive = [state for state in states if state is not None]
    if len(alive) < 2:
        return alive[0] if alive else None
    joined = State()
    for state in alive:
        for name, locs in state.env.items():
            joined.env[name] = capped(joined.env.get(name, NOBODY) | locs)
        for owner, held in state.heap.items():
            joined.heap[owner] = _joined(joined.heap[owner], held) if owner in joined.heap else held
        for loc, marks in state.marks.items():
            joined.marks[loc] = joined.marks.get(loc, frozenset()) | marks
        joined.saved.update(state.saved)
    for loc in {loc for state in alive for loc in state.modes}:
        modes = {state.mode(loc) for state in _that_know(loc, alive)}
        joined.modes[loc] = modes.pop() if len(modes) == 1 else few(atom for mode in modes for atom in mode)
    return joined
