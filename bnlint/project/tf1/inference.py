"""Batch norms that stay in training mode where the program predicts, evaluates or exports."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks import tf1
from bnlint.project.calls import Site, argument, is_method
from bnlint.project.names import Definition
from bnlint.project.scopes import Scope
from bnlint.project.tf1.analysis import Tf1
from bnlint.project.tf1.missing import is_copy
from bnlint.project.tf1.norms import Use
from bnlint.project.tf1.program import Program

Why = Literal["ignored", "inference", "restored", "always"]
_PREDICTS = re.compile(
    r"(?:^|_)(?:test|testing|eval\w*|valid\w+|infer\w*|predict\w*|export\w*|freez\w*|serv\w+|deploy\w*|demo)(?:_|$|\d)",
    re.IGNORECASE,
)
# The same without the words for tests, which are more often unit tests of layers.
_INFERS = re.compile(
    r"(?:^|_)(?:infer|inference|predict\w*|export\w*|freez\w*|serv\w+|deploy\w*)(?:_|$|\d)", re.IGNORECASE
)
# Here the statistics of the batch at hand are often what is wanted.
_ON_PURPOSE = re.compile(
    r"(?<!or)gans?(?:_|$|\d)|^(?:gan|wgan)|discrim|maml|reptile|few_?shot|meta_?learn|style|pix2pix|sampler",
    re.IGNORECASE,
)


class TrainMode(NamedTuple):
    """A call that builds a norm in training mode, and why that is wrong; `flag` is a flag that it does not get."""

    site: Site
    use: Use
    why: Why
    flag: Site | None


def train_mode(view: Tf1, path: str) -> Iterator[TrainMode]:
    """What one file builds in training mode for inference."""
    for use in view.uses(path):
        found = _norm(view, use)
        if found is not None:
            yield found
    for use, function, name, *_ in view.wrappers:
        for site in view.graph.sites(function):
            if site.scope.path == path and _restored(view, function, name, site):
                yield TrainMode(site, use, "restored", None)


def _norm(view: Tf1, use: Use) -> TrainMode | None:
    program = view.program(use.scope.path)
    constant = use.flag is not None and isinstance(use.flag.expr, m.Const) and use.flag.expr.value is True
    if not program.is_live(use.scope) or use.hidden or use.frozen or is_copy(view, use):
        return None
    scoped, more = program.scoped(use, use.norm.flag)
    left = use.flag is None and use.norm.default and use.how not in ("partial", "net") and not scoped and not more
    if not left and not constant:
        return None
    site = Site(use.call, use.scope)
    words = _PREDICTS if program.calls("restore") else _INFERS
    if not program.train_ops and _named(use.scope, words) and not _on_purpose(program):
        return TrainMode(site, use, "inference", None)
    if not left or not program.train_ops:
        return None
    if _restored_alone(view, use, program):
        return TrainMode(site, use, "restored", None)
    flag = fed_flag(program)
    return TrainMode(site, use, "ignored" if flag is not None else "always", flag)


def _restored_alone(view: Tf1, use: Use, program: Program) -> bool:
    """Whether a program of its own restores the model and only predicts (``inference.py`` beside ``train.py``)."""
    for root in program.roots:
        if _PREDICTS.search(PurePosixPath(root).stem):
            alone = view.program_from(frozenset({root}))
            restores = alone.is_live(use.scope) and bool(alone.calls("restore"))
            if restores and not alone.train_ops and not _on_purpose(alone):
                return True
    return False


def fed_flag(program: Program) -> Site | None:
    """A placeholder of the program that is plainly the training flag, and is fed."""
    for site in program.calls(*tf1.PLACEHOLDERS):
        assigned = [
            above for above in program.view.parents(site.scope.path).chain(site.call)[:1] if isinstance(above, m.Assign)
        ]
        for target in (target for assign in assigned for target in assign.targets):
            name = target.name if isinstance(target, m.Attr) else target.id if isinstance(target, m.Name) else ""
            if tf1.FLAG_NAMES.match(name) and name != "mode" and _is_fed(program, name):
                return site
    return None


def _is_fed(program: Program, name: str) -> bool:
    for path in program.files:
        for node in walk(program.view.names.files[path].body):
            if isinstance(node, m.Dict):
                for key, _ in node.items:
                    if (isinstance(key, m.Attr) and key.name == name) or (isinstance(key, m.Name) and key.id == name):
                        return True
    return False


def _restored(view: Tf1, function: Definition, name: str, site: Site) -> bool:
    """Whether a call asks for training mode in a function that restores a checkpoint and has no train op."""
    around = _function(site.scope)
    if not _gives_true(function, name, site) or around is None or not _PREDICTS.search(_spelt(around)):
        return False
    inside = {node.at for node in walk(around.node)}
    both = [
        other for other in view.graph.sites(function) if other.call.at in inside and other.scope.path == around.path
    ]
    if not all(_gives_true(function, name, other) for other in both):
        return False  # the statistics are estimated anew, and then used
    scan = view.scan(site.scope.path)
    if not any(call.call.at in inside for call in scan.named("restore")):
        return False
    if any(step.call.at in inside for step in view.train_ops(site.scope.path)):
        return False
    return any(not _gives_true(function, name, other) for other in view.graph.sites(function))


def _gives_true(function: Definition, name: str, site: Site) -> bool:
    assert isinstance(function.node, m.Function)
    params = function.node.params[1:] if is_method(function) else function.node.params
    found = argument(site.call, params, name)
    return found is not None and isinstance(found[0], m.Const) and found[0].value is True


def _function(scope: Scope) -> Scope | None:
    found: Scope | None = None
    inner: Scope | None = scope
    while inner is not None:
        if isinstance(inner.node, m.Function):
            found = inner
        inner = inner.parent
    return found


def _spelt(scope: Scope) -> str:
    """The function's name in snake case: ``testGAN`` is ``test_gan``."""
    name = scope.node.name if isinstance(scope.node, m.Function) else ""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)


def _named(scope: Scope, words: re.Pattern[str]) -> bool:
    if words.search(PurePosixPath(scope.path).stem):
        return True
    inner: Scope | None = scope
    while inner is not None:
        if isinstance(inner.node, m.Function) and words.search(_spelt(inner)):
            return True
        inner = inner.parent
    return False


def _on_purpose(program: Program) -> bool:
    names = {word for scan in program.scans for unit in scan.units for word in unit.used}
    stems = {PurePosixPath(path).stem for path in program.files}
    defined = {getattr(unit.scope.node, "name", "") or "" for scan in program.scans for unit in scan.units}
    return any(_ON_PURPOSE.search(word) for word in names | stems | defined)
