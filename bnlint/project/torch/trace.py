"""What the analysis believes of each call of a network: for ``explain --trace``, so that a wrong belief can be seen."""

from typing import NamedTuple

from bnlint.project.scopes import Scope
from bnlint.project.torch.states import Mode
from bnlint.project.torch.summary import Use
from bnlint.project.torch.verdicts import Verdicts


class Belief(NamedTuple):
    """One call (`at`) of one network, as met on one way through the program.

    `mode` is ``train``, ``eval``, ``unknown``, ``entry`` (as the caller left it) or several of them; `places` are where
    the mode comes from and the calls that lead here, each with a word; `evidence` what speaks for and against evaluation.
    """

    path: str
    at: int
    network: str
    mode: str
    holds: str
    evidence: str
    places: tuple[tuple[str, int, str], ...]


def beliefs(verdicts: Verdicts, path: str) -> list[Belief]:
    """All beliefs on the calls of networks in a file, in source order."""
    found = [
        _belief(verdicts, use, scope)
        for use, scope, _ in verdicts.uses
        if use.path == path and use.kind not in {"part", "method"}
    ]
    return sorted(set(found), key=lambda belief: (belief.at, belief.network, belief.mode))


def _belief(verdicts: Verdicts, use: Use, scope: Scope) -> Belief:
    machine = verdicts.machine
    holding = machine.holding_with(use.loc, use.parts, scope)
    holds = {"yes": f"holds {holding.layer}", "no": "holds nothing with a mode", "maybe": "may hold layers with a mode"}
    origins = tuple((a.path, a.at, f"{a.word}: {a.how}") for a in sorted(use.mode) if a.at >= 0)
    marks = tuple((mark.path, mark.at, mark.what) for mark in sorted(use.marks))
    chain = tuple((step.path, step.at, "called from") for step in use.chain)
    loops = ((use.path, at) for at in use.loops) if not use.chain else ()
    given_up = tuple(
        (*loop, "this loop did not settle, so what it changes is unknown")
        for loop in loops
        if loop in machine.unsettled
    )
    return Belief(
        use.path,
        use.at,
        machine.words(use.loc),
        _words(use.mode),
        holds[holding.sensitive],
        _evidence(use),
        origins + marks + chain + given_up,
    )


def _words(mode: Mode) -> str:
    return " or ".join(sorted({atom.word for atom in mode}))


def _evidence(use: Use) -> str:
    context = use.context._asdict()
    said = [name.replace("_", " ") for name, value in context.items() if value is True]
    verdict = (
        "an evaluation" if use.context.evaluates else "a training step" if use.context.trains else "neither for sure"
    )
    return f"{verdict} ({', '.join(said) or 'nothing around it says more'})"


def lines(belief: Belief) -> list[str]:
    """A belief for people, without the places."""
    return [
        f"{belief.network}: in {belief.mode} mode, {belief.holds}",
        f"  taken for {belief.evidence}",
    ]


__all__ = ["Belief", "beliefs", "lines"]
