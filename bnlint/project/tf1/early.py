"""UPDATE_OPS collected before the layers exist that put their updates there."""

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.calls import Site
from bnlint.project.names import Definition
from bnlint.project.tf1.analysis import Tf1
from bnlint.project.tf1.updates import Read

_MAX_DEPTH = 6


def collected_too_early(view: Tf1, read: Read) -> Site | None:
    """The call that builds the first batch norm, if `read` certainly stands before it and its train op after it."""
    scope = read.site.scope
    if not read.certain or read.scoped or _in_loop(view, read):
        return None
    holders = [site for site in _calls_of(view, read) if _holds_norm(view, site, 0)]
    first = min(holders, key=lambda site: site.call.at, default=None)
    if first is None or first.call.at < read.site.call.at or not _always_before(view, read, first):
        return None
    steps = [site for site in view.train_ops(scope.path) if site.scope is scope]
    return first if any(step.call.at > first.call.at for step in steps) else None


def _calls_of(view: Tf1, read: Read) -> list[Site]:
    scope = read.site.scope
    groups = view.scan(scope.path).calls.values()
    return [site for group in groups for site in group if site.scope is scope]


def _in_loop(view: Tf1, read: Read) -> bool:
    for above in view.parents(read.site.scope.path).chain(read.site.call):
        if isinstance(above, m.For | m.While):
            return True
        if isinstance(above, m.Function | m.Class):
            return False
    return False


def _always_before(view: Tf1, read: Read, holder: Site) -> bool:
    """Whether every ``if`` around the read also stands around the call (so that it is no other branch)."""
    parents = view.parents(read.site.scope.path)
    around = {above.at for above in parents.chain(holder.call)}
    branches = [above for above in parents.chain(read.site.call) if isinstance(above, m.If | m.Try)]
    return all(branch.at in around for branch in branches)


def _holds_norm(view: Tf1, site: Site, depth: int) -> bool:
    """Whether a call builds a batch norm, itself or in the functions it calls."""
    if any(use.call is site.call for use in view.uses(site.scope.path)):
        return True
    if depth > _MAX_DEPTH:
        return False
    target = view.graph.target(site.call, site.scope)
    if not isinstance(target, Definition):
        return False
    inside = {node.at for node in walk(target.node)}
    if any(use.call.at in inside for use in view.uses(target.path)):
        return True
    groups = view.scan(target.path).calls.values()
    below = [inner for group in groups for inner in group if inner.call.at in inside]
    return any(_holds_norm(view, inner, depth + 2) for inner in below[:200])
