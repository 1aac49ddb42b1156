"""Loops over phases: ``for phase in ["train", "val"]`` with a switch for one phase and none back for the other."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.facts.walk import calls, dotted, walk
from bnlint.frameworks import torch as table
from bnlint.project.torch.evaluation import signs
from bnlint.project.torch.words import Vocabulary, parts


def half_switched(file: m.FileFacts, words: Vocabulary) -> Iterator[tuple[m.Call, m.Call, str]]:
    """The first call of a network in such a loop, its only mode switch, and its name."""
    for loop in walk(file.body):
        if isinstance(loop, m.For) and isinstance(loop.target, m.Name) and _are_phases(loop.iter, words):
            yield from _in_loop(loop, loop.target.id, words)


def half_restored(file: m.FileFacts, words: Vocabulary) -> Iterator[tuple[m.Call, m.Call, str]]:
    """The switch to eval mode for one phase, where none leads back, the first call of the network, and its name."""
    for block in (file.body, *(node.body for node in walk(file.body) if isinstance(node, m.Function))):
        for epochs in walk(block, into_scopes=False):
            for loop in epochs.body if isinstance(epochs, m.For | m.While) else ():
                if isinstance(loop, m.For) and isinstance(loop.target, m.Name) and _are_phases(loop.iter, words):
                    for switch, network in _evaluated_in(loop, loop.target.id, words):
                        used = next((c for c in calls(loop.body) if dotted(c.func) == network), None)
                        if used is not None and _switches(block, network) == 1 and signs(loop.body).trains:
                            yield switch, used, network


def _evaluated_in(loop: m.For, phase: str, words: Vocabulary) -> Iterator[tuple[m.Call, str]]:
    for branch in loop.body:
        if not isinstance(branch, m.If):
            continue
        trains = _asks_train(branch.test, phase, words)
        if trains or _asks_train(branch.test, phase, words, evaluation=True):
            for statement in branch.orelse if trains else branch.body:
                call = statement.value if isinstance(statement, m.Do) else None
                network = _switched(call, "eval")
                if isinstance(call, m.Call) and network is not None:
                    yield call, network


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
            if isinstance(call, m.Call) and network is not None and _switches(loop.body, network) == 1:
                used = next((c for c in calls(loop.body) if dotted(c.func) == network and c.at > branch.at), None)
                if used is not None:
                    yield used, call, network


def _asks_train(test: m.Expr, phase: str, words: Vocabulary, *, evaluation: bool = False) -> bool:
    """``phase == "train"``, or ``phase == "val"``."""
    if not isinstance(test, m.Op) or test.op != "==" or len(test.args) != 2:
        return False
    named = any(isinstance(arg, m.Name) and arg.id == phase for arg in test.args)
    says = words.of_evaluation_data if evaluation else words.of_training_data
    return named and any(isinstance(a, m.Const) and says(parts(str(a.value))) for a in test.args)


def _switched(call: m.Expr | None, word: str = "train") -> str | None:
    """The network that ``net.train()``, ``net.train(True)``, ``net.eval()`` or ``net.train(False)`` puts in this mode."""
    if (
        not isinstance(call, m.Call)
        or not isinstance(call.func, m.Attr)
        or len(call.args) > (call.func.name == "train")
    ):
        return None
    flag = call.args[0].value if call.args else None
    said = call.func.name
    if isinstance(flag, m.Const):
        said = "train" if flag.value is True else "eval"
    return dotted(call.func.value) if said == word and (flag is None or isinstance(flag, m.Const)) else None


def _switches(block: m.Block, network: str) -> int:
    """Calls in a block that may set the network's mode: its own, and of functions that are given it."""
    own = {f"{network}.train", f"{network}.eval"}
    found = 0
    for call in calls(block):
        name = dotted(call.func) or ""
        given = any(dotted(arg.value) == network for arg in call.args)
        found += name in own or (given and bool(parts(name) & table.MODE_WORDS))
    return found
