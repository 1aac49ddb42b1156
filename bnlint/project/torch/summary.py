"""What is remembered of a function: what it does to the objects it is given, and where it calls networks."""

from typing import Literal, NamedTuple

from bnlint.project.torch.evaluation import Context
from bnlint.project.torch.states import Atom, Loc, Locs, Mark, Mode

UseKind = Literal["call", "part", "bake", "mode", "method"]


class Step(NamedTuple):
    """A place on the way from a caller down to a use."""

    path: str
    at: int


class Use(NamedTuple):
    """A call of a network (or one that bakes its mode in), as seen from one function.

    `path` and `at` are where it stands; `local` is where it stands, or the call that leads there, in the function
    that holds this record; `loops` are the loops around `local`; `late` switches to eval mode further down in one of
    these loops, here or on the way up; `marks` what happened to the object before; `parts` objects it was given to
    hold; `method` the method that was called, where its class was not known. Kind ``method`` is a call of one that may be
    a pass through the network: its class, known to a caller, will tell.
    """

    kind: UseKind
    path: str
    at: int
    function: tuple[str, int]
    loc: Loc
    mode: Mode
    context: Context
    local: int
    loops: tuple[int, ...]
    marks: frozenset[Mark] = frozenset()
    chain: tuple[Step, ...] = ()
    words: str = ""
    parts: tuple[Loc, ...] = ()
    late: tuple[Atom, ...] = ()
    method: str = ""

    def marked(self, what: str) -> Mark | None:
        """The first note of this kind."""
        return min((mark for mark in self.marks if mark.what == what), default=None)


class Summary(NamedTuple):
    """The effect of a function on what it is given."""

    key: tuple[str, int]
    name: str
    modes: tuple[tuple[Loc, Mode], ...] = ()
    heap: tuple[tuple[Loc, str, Locs], ...] = ()
    marks: tuple[tuple[Loc, frozenset[Mark]], ...] = ()
    gone: tuple[tuple[Loc, str], ...] = ()
    returns: Locs = frozenset()
    uses: tuple[Use, ...] = ()
    trains: bool = False


UNKNOWN = Summary(("", -1), "")
