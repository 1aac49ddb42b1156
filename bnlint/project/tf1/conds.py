"""``tf.cond`` over tensors that exist already: what they do is done whatever the condition says."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.calls import Site
from bnlint.project.names import Definition, Value
from bnlint.project.scopes import Scope
from bnlint.project.tf1.analysis import Tf1
from bnlint.project.tf1.norms import Use

_BRANCHES = ("true_fn", "false_fn", "fn1", "fn2")


class Prebuilt(NamedTuple):
    """A cond whose branch `branch` only hands out `made`, a norm that updates in place and was built before."""

    site: Site
    branch: m.Lambda
    made: Value
    use: Use


def prebuilt(view: Tf1, path: str) -> Iterator[Prebuilt]:
    """Conds of one file with a branch whose update runs in any case."""
    for site in view.scan(path).named("cond", "smart_cond"):
        name = view.words.name(site.call.func, site.scope)
        if name is None or not view.words.is_tensorflow(name):
            continue
        for branch in _branches(site.call):
            found = _handed_out(view, site, branch)
            if found is not None:
                yield found
                break


class Move(NamedTuple):
    """A branch that only hands out what `statement` binds, the call `value`, and nobody else reads."""

    branch: m.Lambda
    statement: m.Assign
    value: m.Call


def moved_into_branches(view: Tf1, site: Site) -> list[Move]:
    """How all branches of a cond can build what they hand out; empty if one of them cannot.

    A norm that stays outside while another moves would look for variables that are not there yet.
    """
    moves: list[Move] = []
    for branch in _branches(site.call):
        if isinstance(branch.body, m.Name):
            move = _move(view, site, branch, branch.body)
            if move is None:
                return []
            moves.append(move)
    return sorted(moves, key=lambda move: move.statement.at)


def _move(view: Tf1, site: Site, branch: m.Lambda, name: m.Name) -> Move | None:
    scope = site.scope
    home = view.names.files[scope.path].body if scope.node is None else (scope.node,)
    nodes = list(walk(home))
    reads = [n for n in nodes if isinstance(n, m.Name) and n.id == name.id]
    bound = [n for n in nodes if isinstance(n, m.Assign) and any(n.targets[0] is read for read in reads)]
    if scope.node is None or len(reads) != 2 or len(bound) != 1 or not isinstance(bound[0].value, m.Call):
        return None
    statement, value = bound[0], bound[0].value
    blocks = [getattr(node, "body", ()) for node in view.parents(scope.path).chain(site.call)]
    if len(statement.targets) != 1 or not any(part is statement for block in blocks for part in block):
        return None  # made elsewhere, or under another condition than the cond
    used = {n.id for n in walk(value) if isinstance(n, m.Name)}
    changed = any(
        binding.at > statement.at and binding.at < site.call.at
        for word in used
        for binding in scope.names.get(word, ())
    )
    return None if changed else Move(branch, statement, value)


def _branches(call: m.Call) -> Iterator[m.Lambda]:
    for number, arg in enumerate(call.args):
        if isinstance(arg.value, m.Lambda) and (arg.keyword in _BRANCHES or (arg.keyword is None and number in (1, 2))):
            yield arg.value


def _handed_out(view: Tf1, site: Site, branch: m.Lambda) -> Prebuilt | None:
    if not isinstance(branch.body, m.Name):
        return None
    for value in _values(view, branch.body, site.scope):
        use = _updates_in_place(view, value)
        if use is not None and value.expr.at < site.call.at:
            return Prebuilt(site, branch, value, use)
    return None


def _values(view: Tf1, name: m.Name, scope: Scope) -> list[Value]:
    meaning = view.names.resolve(name, scope)
    if isinstance(meaning, Value):
        return [meaning]
    hit = scope.lookup(name.id)
    return [Value(b.node, hit[0]) for b in hit[1] if b.kind == "value"] if hit is not None else []


def _updates_in_place(view: Tf1, value: Value) -> Use | None:
    """The norm that `value` builds, if it can train and updates its averages in the forward pass."""
    program = view.program(value.scope.path)
    for use in _norms_of(view, value):
        given = use.updates
        in_place = given is not None and isinstance(given.expr, m.Const) and given.expr.value is None
        if in_place and program.flag(use).can_train:
            return use
    return None


def _norms_of(view: Tf1, value: Value) -> list[Use]:
    inside = {node.at for node in walk(value.expr)}
    found = [use for use in view.uses(value.scope.path) if use.call.at in inside]
    if not found and isinstance(value.expr, m.Call):
        target = view.graph.target(value.expr, value.scope)
        if isinstance(target, Definition):
            below = {node.at for node in walk(target.node)}
            found = [use for use in view.uses(target.path) if use.call.at in below]
    return found
