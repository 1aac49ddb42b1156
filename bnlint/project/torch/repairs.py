"""Where a repair belongs: the statement of the function before which a network has to be put in eval mode."""

from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import calls, dotted, walk
from bnlint.project.names import Names
from bnlint.project.torch.summary import Use

_AROUND = m.For | m.While | m.With


class Frame(NamedTuple):
    """The outermost loop or ``with`` around an evaluation; `leaves` says that it returns, so nothing after it is reached."""

    at: int
    network: str
    leaves: bool


def frame(names: Names, use: Use) -> Frame | None:
    """The statement to put eval() before, and how the function calls the network; None where that is no plain name."""
    path, at = use.function
    scope = names.scopes(path)[at if at >= 0 else None]
    block = scope.block if scope.node is not None else names.files[path].body
    statement = _outermost(block, use.at)
    call = next((c for c in calls(statement) if c.at == use.at), None) if statement is not None else None
    func = call.func if call is not None else None
    network = dotted(func) if func is not None else None
    if statement is None or network is None:
        return None
    network = network.removesuffix(".forward").removesuffix(".predict").removesuffix(".generate")
    leaves = any(isinstance(node, m.Return | m.Raise) for node in walk(statement, into_scopes=False))
    return Frame(statement.at, network, leaves)


def _outermost(block: m.Block, at: int) -> m.Stmt | None:
    """The first loop, ``with`` or simple statement around record `at`; an ``if`` or a training loop is looked into."""
    before = [statement for statement in block if statement.at <= at]
    if not before:
        return None
    last = before[-1]
    if isinstance(last, m.If):
        inner = last.orelse if last.orelse and last.orelse[0].at <= at else last.body
        return _outermost(inner, at)
    if isinstance(last, m.For | m.While) and _has_training(last, at):
        return _outermost(last.body, at)
    return last


def _has_training(loop: m.For | m.While, at: int) -> bool:
    """Whether statements of the loop before `at` train: the loop goes over epochs, not over evaluation data."""
    backward = {"backward", "step", "train", "fit"}
    return any(
        node.at < at and isinstance(node.func, m.Attr | m.Name) and _last(node.func) & backward
        for node in calls(loop.body)
    )


def _last(func: m.Attr | m.Name) -> set[str]:
    name = func.name if isinstance(func, m.Attr) else func.id
    return set(name.lower().split("_"))
