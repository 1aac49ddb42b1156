"""Keras layers inside a session program that trains by an optimizer of its own."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.frameworks import tf1
from bnlint.project.calls import Site
from bnlint.project.names import External
from bnlint.project.tf1.analysis import Tf1
from bnlint.project.tf1.program import Program


class KerasNorm(NamedTuple):
    """A call of a Keras batch norm or of a whole network; `flag` is the ``training=`` it gets, if any."""

    site: Site
    network: str
    flag: m.Expr | None


def keras_norms(view: Tf1, path: str) -> Iterator[KerasNorm]:
    """Keras norms of one file whose updates nothing runs."""
    scan = view.scan(path)
    named = {word for unit in scan.units for word in unit.used}
    if path not in view.speaking or not any(
        "keras" in word or word.startswith("BatchNorm") for word in named | _imported(view, path)
    ):
        return
    # The layers first: what a program does is dear to know, and most files of a library are a program of many files.
    norms = [norm for group in scan.calls.values() for site in group if (norm := _norm(view, site)) is not None]
    if not norms:
        return
    program = view.program(path)
    if not _is_graph_program(view, program) or _runs_updates(view, program):
        return
    for found in norms:
        if program.is_live(found.site.scope) and not _fixed(found):
            yield found


def _imported(view: Tf1, path: str) -> set[str]:
    return {name for scope in view.names.scopes(path).values() for name in scope.names}


def _is_graph_program(view: Tf1, program: Program) -> bool:
    """A session, placeholders and an optimizer's own step: the layers are used in graph mode, without fit()."""
    opened = [
        s
        for s in program.calls("Session", "InteractiveSession", "MonitoredTrainingSession", "Estimator")
        if _is_tf(view, s)
    ]
    fed = [
        s
        for s in program.calls(
            "placeholder", "disable_v2_behavior", "disable_eager_execution", "make_one_shot_iterator"
        )
        if _is_tf(view, s)
    ]
    return bool(opened) and bool(fed) and bool(program.train_ops)


def _is_tf(view: Tf1, site: Site) -> bool:
    return view.words.is_tensorflow(view.words.name(site.call.func, site.scope))


def _runs_updates(view: Tf1, program: Program) -> bool:
    trained = program.calls("compile", "fit", "fit_generator", "train_on_batch", "get_updates_for")
    if any(name != "re.compile" for name in (view.words.name(s.call.func, s.scope) for s in trained)):
        return True
    if any(isinstance(site.call.func, m.Attr) and len(site.call.args) > 1 for site in program.calls("function")):
        return True  # K.function(inputs, outputs, updates)
    return any(".updates" in unit.used for scan in program.scans for unit in scan.units)


def _norm(view: Tf1, site: Site) -> KerasNorm | None:
    """A call of a Keras norm (``bn(x)`` or ``BatchNormalization()(x)``), or of a network of keras.applications."""
    name = view.words.name(site.call.func, site.scope)
    if name is not None and tf1.is_keras_net(name):
        return KerasNorm(site, name.rpartition(".")[2], None)
    func = site.call.func
    if not isinstance(func, m.Call | m.Name | m.Attr) or not site.call.args:
        return None
    made = view.graph.instance(func, site.scope)
    if not isinstance(made, External) or not tf1.is_keras_norm(tf1.canonical(made.name)):
        return None
    return KerasNorm(site, "", next((arg.value for arg in site.call.args if arg.keyword == "training"), None))


def _fixed(found: KerasNorm) -> bool:
    """Whether the norm is in inference mode on purpose."""
    if isinstance(found.flag, m.Const) and not found.flag.value:
        return True
    maker = found.site.call.func if not found.network else found.site.call
    return isinstance(maker, m.Call) and any(
        arg.keyword == "trainable" and isinstance(arg.value, m.Const) and arg.value.value is False for arg in maker.args
    )
