"""Is this call of a network an evaluation? Evidence in the text around it; a training step around it speaks against."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks import torch as table
from bnlint.project.torch.words import Vocabulary, names_in, parts

_OPTIMIZERS = frozenset(
    {"opt", "optim", "optimizer", "optimiser", "scaler", "optimizers", "optims", "solver", "sgd", "adam"}
)
# Names of functions that go backward: ``backward_G``, ``forward_backward``; not ``backward_lstm``.
_BACKWARD = frozenset({
    "backward", "forward", "and", "step", "pass", "loss", "losses", "manual", "optimize", "update", "do", "run", "g", "d", "gan", "gen", "dis", "generator",
    "discriminator", "basic", "all", "accumulate", "a", "b", "batch", "grad", "scaled", "amp",
})  # fmt: skip
_REPORTS = frozenset(
    {"print", "log", "save", "write", "add", "append", "update", "report", "record", "checkpoint", "state"}
)


class Context(NamedTuple):
    """What speaks for evaluation (`no_grad`, `data`, `name`, `metric`) and against it (`step`, `meant`, `managed`).

    `step` says that the innermost loop around the call (or the function, if there is no loop) also runs a backward
    pass or an optimizer; `train_data` that the data are named as training data; `function_trains` that some other part
    of the same function trains; `wants_eval` that training in eval mode is on purpose; `script` that the file is named after an evaluation, `file_trains` that it trains too.
    """

    function: str = ""
    no_grad: bool = False
    data: bool = False
    train_data: bool = False
    name: bool = False
    metric: bool = False
    step: bool = False
    function_trains: bool = False
    meant: bool = False
    managed: bool = False
    script: bool = False
    file_trains: bool = False
    wants_eval: bool = False

    @property
    def score(self) -> int:
        """Number of independent signs of evaluation."""
        script = self.script and not self.file_trains
        return self.no_grad + self.data + self.name + self.metric + script

    @property
    def evaluates(self) -> bool:
        """Whether there is enough to call it an evaluation."""
        script = self.script and not self.file_trains
        if self.meant or self.managed or self.train_data or not (self.data or self.name or self.no_grad or script):
            return False
        if self.step:
            return self.data and (self.name or self.no_grad)
        return self.score >= 2

    @property
    def only_uses(self) -> bool:
        """Whether a finished network, one whose weights were loaded, is used here: nothing around it trains."""
        against = self.meant or self.managed or self.train_data or self.step or self.function_trains or self.file_trains
        return not against and (self.data or self.name or self.no_grad or self.script)

    @property
    def trains(self) -> bool:
        """Whether it is a forward pass of training."""
        return self.step and not self.no_grad and not (self.data and self.name)

    def seen_from(self, call: m.Call, caller: "Context", words: Vocabulary) -> "Context":
        """The same call seen from one caller up: what the caller passes and where it stands adds to the evidence."""
        given = [arg.value for arg in call.args if not isinstance(arg.value, m.Lambda) and _names_data(arg.value)]
        data = self.data or caller.data or any(words.says_evaluation(one) for one in given)
        train_data = self.train_data or (not data and any(words.says_training(one) for one in given))
        return self._replace(
            no_grad=self.no_grad or caller.no_grad,
            data=data,
            train_data=train_data and not data,
            step=self.step or (caller.step and not self.name),
            meant=self.meant or caller.meant,
        )


def _names_data(expr: m.Expr) -> bool:
    return isinstance(expr, m.Name | m.Attr | m.Item) and not names_in(expr) & {
        "args",
        "opt",
        "config",
        "cfg",
        "model",
        "net",
    }


class Signs(NamedTuple):
    """What statements do: `trains` a backward pass or an optimizer's step, `measures` a metric, `volatile` no_grad of old."""

    trains: bool
    measures: bool
    volatile: bool


def signs(block: Any) -> Signs:
    """Look at statements once for all signs."""
    trains = measures = volatile = False
    for node in walk(block):
        if isinstance(node, m.Call):
            trains = trains or _is_step(node)
            volatile = volatile or _is_volatile(node)
        elif isinstance(node, m.Attr):
            measures = measures or bool(parts(node.name) & table.METRICS)
        elif isinstance(node, m.Name):
            measures = measures or bool(parts(node.id) & table.METRICS)
    return Signs(trains, measures, volatile)


def _is_step(call: m.Call) -> bool:
    name = call.func.name if isinstance(call.func, m.Attr) else call.func.id if isinstance(call.func, m.Name) else ""
    words = parts(name)
    if "backward" in words and words <= _BACKWARD:
        return True
    if isinstance(call.func, m.Attr) and name == "step" and names_in(call.func.value) & _OPTIMIZERS:
        return True
    return not words & _REPORTS and _is_given_loss(call)


def _is_given_loss(call: m.Call) -> bool:
    """``loss_scaler(loss, optimizer, …)`` goes backward and steps."""
    said = [_last_words(arg.value) for arg in call.args if arg.keyword is None]
    return len(said) > 1 and bool(said[0] & {"loss", "losses"}) and any(words & _OPTIMIZERS for words in said[1:])


def _last_words(expr: m.Expr) -> frozenset[str]:
    return parts(expr.name if isinstance(expr, m.Attr) else expr.id if isinstance(expr, m.Name) else "")


def _is_volatile(call: m.Call) -> bool:
    """``Variable(x, volatile=True)``: the no_grad of PyTorch before 0.4."""
    return any(a.keyword == "volatile" and isinstance(a.value, m.Const) and a.value.value is True for a in call.args)


def loop_data(node: m.For, words: Vocabulary) -> tuple[bool, bool]:
    """Whether a loop runs over evaluation data, over training data."""
    return words.says_evaluation(node.iter), words.says_training(node.iter)


class FileContext(NamedTuple):
    """What a whole file says: `script` it is named after an evaluation, `trains` it has training steps, `tests` units."""

    script: bool
    trains: bool
    tests: bool


def file_context(file: m.FileFacts, words: Vocabulary) -> FileContext:
    """Look at a file's name, folders, imports and steps."""
    pure = PurePosixPath(file.path.replace("\\", "/"))
    imported: set[str] = set()
    trains = False
    for node in walk(file.body):  # once: files are long
        if isinstance(node, m.Call):
            trains = trains or _is_step(node)
        elif isinstance(node, m.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, m.From):
            imported.add(node.module.split(".")[0])
    folders = {part.lower() for part in pure.parts[:-1]}
    tests = bool(imported & {"pytest", "unittest"}) or (
        bool(folders & {"tests", "test", "testing"}) and pure.stem.startswith("test_")
    )
    return FileContext(words.evaluating_words(parts(pure.stem)), trains, tests)


def function_context(name: str, owner: str, comments: Iterable[str], words: Vocabulary) -> Context:
    """What a function's own name, its class and its comments say."""
    texts = (name, owner, *comments)
    said, frozen = any(map(words.meant, texts)), any(map(words.wants_eval, texts))
    return Context(
        function=name,
        name=words.evaluating_name(name),
        train_data=words.training_name(name),
        meant=said,
        wants_eval=frozen,
    )
