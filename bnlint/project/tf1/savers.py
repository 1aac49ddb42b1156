"""Savers that leave the moving statistics out."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.calls import Site
from bnlint.project.names import Value
from bnlint.project.scopes import Scope
from bnlint.project.tf1.analysis import Tf1
from bnlint.project.tf1.program import Program

_TRAINABLE = frozenset({"trainable_variables", "get_trainable_variables", "trainable_weights"})
_ALL = frozenset({
    "global_variables", "all_variables", "get_variables", "model_variables", "get_model_variables", "get_variables_to_restore",
    "moving_average_variables", "variables_to_restore", "non_trainable_variables", "local_variables",
})  # fmt: skip
_MAX_DEPTH = 6


def partial_savers(view: Tf1, path: str) -> Iterator[Site]:
    """Savers of one file that save trainable variables only, in programs that save nothing else and need the rest."""
    program = view.program(path)
    if not program.norms or program.pretrained or not _needs_statistics(program):
        return
    savers = [
        site for site in program.calls("Saver") if view.words.is_tensorflow(view.words.name(site.call.func, site.scope))
    ]
    kinds = [_kind(view, site) for site in savers]
    if any(kind != "trainable" for kind in kinds) or program.calls(
        "MonitoredTrainingSession", "Supervisor", "Estimator", "simple_save"
    ):
        return
    if not _saves(program):
        return
    yield from (site for site in savers if site.scope.path == path)


def _needs_statistics(program: Program) -> bool:
    """Whether a norm learns statistics and is also used in inference mode."""
    flags = [program.flag(use) for use in program.norms]
    return any(flag.can_train and flag.can_infer for flag in flags)


def _saves(program: Program) -> bool:
    return any(isinstance(site.call.func, m.Attr) and len(site.call.args) > 1 for site in program.calls("save"))


def _kind(view: Tf1, site: Site) -> str:
    given = next((arg.value for arg in site.call.args if arg.keyword in (None, "var_list") and not arg.star), None)
    return "all" if given is None else _variables(view, given, site.scope, 0)


def _variables(view: Tf1, expr: m.Expr, scope: Scope, depth: int) -> str:
    """``trainable`` if an expression certainly holds trainable variables only."""
    if depth > _MAX_DEPTH:
        return "unknown"
    if isinstance(expr, m.Call):
        tail = view.words.tail(expr)
        if tail in _TRAINABLE:
            return "trainable"
        if tail == "get_collection" and expr.args:
            key = expr.args[0].value
            return "trainable" if isinstance(key, m.Attr) and key.name == "TRAINABLE_VARIABLES" else "unknown"
        if tail in ("list", "sorted", "set", "tuple") and len(expr.args) == 1:
            return _variables(view, expr.args[0].value, scope, depth + 1)
        return "unknown"
    if isinstance(expr, m.Comp) and len(expr.loops) == 1:
        kept = _same(expr.items[0], expr.loops[0].target)
        return _variables(view, expr.loops[0].iter, scope, depth + 1) if kept else "unknown"
    if isinstance(expr, m.Name) and not _grown(view, expr, scope):
        meaning = view.names.resolve(expr, scope)
        if isinstance(meaning, Value):
            return _variables(view, meaning.expr, meaning.scope, depth + 1)
    return "unknown"


def _same(one: m.Expr, other: m.Expr) -> bool:
    return isinstance(one, m.Name) and isinstance(other, m.Name) and one.id == other.id


def _grown(view: Tf1, name: m.Name, scope: Scope) -> bool:
    """Whether a list is added to after it was made."""
    hit = scope.lookup(name.id)
    home = hit[0] if hit is not None else scope
    root = home.node.body if home.node is not None else view.names.files[scope.path].body
    for node in walk((root,)):
        if isinstance(node, m.Assign) and node.op != "=" and any(_same(name, target) for target in node.targets):
            return True
        if isinstance(node, m.Attr) and node.name in ("append", "extend", "insert") and _same(name, node.value):
            return True
    return False
