"""Verbs that change several statements of one block at once."""

from collections.abc import Callable, Sequence

import libcst as cst

from bnlint.fixes.expressions import CannotApply, Words
from bnlint.fixes.statements import Lines, insert_before, written

Block = list[cst.CSTNode]


def wrap_in_try(lines: Lines, words: Words) -> Lines:
    """Write `words[1]` above, then ``try: lines`` with `words[2]` in its ``finally``; comments stay with the first."""
    *above, first = insert_before(lines[:1], words[1:2])
    body = cst.IndentedBlock(body=[first, *lines[1:]])
    last = cst.Finally(body=cst.IndentedBlock(body=written(words[2])))
    return [*above, cst.Try(body=body, finalbody=last)]


# `words[0]` is the number of the last statement's record; the edit stands at the first.
REGIONS: dict[str, Callable[[Lines, Words], Lines]] = {"wrap_in_try": wrap_in_try}


def replaced(body: Sequence[cst.CSTNode], first: cst.CSTNode, last: cst.CSTNode, verb: str, words: Words) -> Block:
    """A block in which the statements from `first` to `last` are changed together."""
    places = [number for number, line in enumerate(body) if line is first or line is last]
    if not places:
        raise CannotApply("the statements are not in one block")
    start, end = places[0], places[-1] + 1
    lines = [line for line in body[start:end] if isinstance(line, cst.BaseStatement)]
    return [*body[:start], *REGIONS[verb](lines, words), *body[end:]]
