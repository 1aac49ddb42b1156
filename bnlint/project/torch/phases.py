"""Loops over phases: ``for phase in ["train", "val"]`` with a train() for one phase and no eval() for the other."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.facts.walk import calls, dotted, walk
from bnlint.frameworks import torch as table
from bnlint.project.torch.words import Vocabulary, parts


def half_switched(file: m.FileFacts, words: Vocabulary) -> Iterator[tuple[m.Call, m.Call, str]]:
    """The first call of a network in such a loop, its only mode switch, and its name."""
    for loop in walk(file.body):
        if isinstance(loop, m.For) and isinstance(loop.target, m.Name) and _are_phases(loop.iter, words):
            yield from _in_loop(loop, loop.target.id, words)


def _are_phases(expr: m.Expr, words: Vocabulary) -> bool:
    if not isinstance(expr, m.Seq) or not all(isinstance(i, m.Const) and isinstance(i.value, str) for i in expr.items):
        return False
    said = [parts(str(item.value)) for item in expr.items if isinstance(item, m.Const)]
    return any(words.of_training_data(one) for one in said) and any(words.of_evaluation_data(one) for one in said)


def _in_loop(loop: m.For, phase: str, words: Vocabulary) -> Iterator[tuple[m.Call, m.Call, str]]:
    for branch in walk(loop.body):
        if not isinstance(branch, m.If) or not _asks_train(branch.test, phase, words):
            continue
        for statement in branch.body:
            call = statement.value if isinstance(statement, m.Do) else None
            network = _switched(call)
            if isinstance(call, m.Call) and network is not None and _switches(loop, network) == 1:
                used = next((c for c in calls(loop.body) if dotted(c.func) == network and c.at > branch.at), None)
                if used is not None:
                    yield used, call, network


def _asks_train(test: m.Expr, phase: str, words: Vocabulary) -> bool:
    """``phase == "train"``."""
    if not isinstance(test, m.Op) or test.op != "==" or len(test.args) != 2:
        return False
    named = any(isinstance(arg, m.Name) and arg.id == phase for arg in test.args)
    return named and any(isinstance(a, m.Const) and words.of_training_data(parts(str(a.value))) for a in test.args)


def _switched(call: m.Expr | None) -> str | None:
    if isinstance(call, m.Call) and isinstance(call.func, m.Attr) and call.func.name == "train" and not call.args:
        return dotted(call.func.value)
    return None


def _switches(loop: m.For, network: str) -> int:
    """Calls in the loop that may set the network's mode: its own, and of functions that are given it."""
    own = {f"{network}.train", f"{network}.eval"}
    found = 0
    for call in calls(loop.body):
        name = dotted(call.func) or ""
        given = any(dotted(arg.value) == network for arg in call.args)
        found += name in own or (given and bool(parts(name) & table.MODE_WORDS))
    return found
