"""Batch norms written by hand from ``tf.nn.moments``: do they keep averages for evaluation?"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks import tf1
from bnlint.project.calls import Site
from bnlint.project.names import Value
from bnlint.project.scopes import Scope
from bnlint.project.tf1.analysis import Tf1
from bnlint.project.tf1.parents import Parents, is_target

# Any of these in the function or class says that statistics are kept in some way.
_KEEPS = frozenset({
    "assign", "assign_add", "assign_sub", "assign_moving_average", "add_to_collection", "add_update", "ExponentialMovingAverage",
    "moving_averages", "Variable", "scatter_update", "update_add", "moving_average_update",
})  # fmt: skip


class Handmade(NamedTuple):
    """A hand-made norm without averages, or an average whose update nothing depends on."""

    site: Site
    kind: Literal["none", "unused"]
    moments: Site


def handmade(view: Tf1, path: str) -> Iterator[Handmade]:
    """Hand-made norms of one file that lack what evaluation needs."""
    if path not in view.speaking:
        return
    scan = view.scan(path)
    for site in scan.named("batch_normalization"):
        if view.words.name(site.call.func, site.scope) != "tensorflow.nn.batch_normalization":
            continue
        moments = _moments_of(view, site)
        if moments is not None and over_the_batch(moments.call) and _has_flag(site.scope) and not _keeps(site.scope):
            yield Handmade(site, "none", moments)
    for site in scan.named("apply"):
        if _is_average(view, site) and not _depended_on(view, site):
            moments = next((one for one in scan.named("moments") if one.scope is site.scope), None)
            if moments is not None and over_the_batch(moments.call):
                yield Handmade(site, "unused", moments)


def over_the_batch(call: m.Call) -> bool:
    """Whether moments are taken over the batch axis and others but the last (``[0]``, ``[0, 1, 2]``)."""
    axes = next((a.value for a in call.args if a.keyword == "axes"), None)
    if axes is None and len(call.args) > 1 and call.args[1].keyword is None:
        axes = call.args[1].value
    if not isinstance(axes, m.Seq):
        return False
    numbers = [item.value for item in axes.items if isinstance(item, m.Const)]
    return len(numbers) == len(axes.items) and numbers in ([0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 2, 3])


def _moments_of(view: Tf1, site: Site) -> Site | None:
    """The ``tf.nn.moments`` of the same function whose results are the norm's mean and variance."""
    mean = next(
        (a.value for n, a in enumerate(site.call.args) if a.keyword == "mean" or (a.keyword is None and n == 1)), None
    )
    if not isinstance(mean, m.Name):
        return None
    for moments in view.scan(site.scope.path).named("moments"):
        above = view.parents(site.scope.path).above(moments.call)
        if moments.scope is not site.scope or not isinstance(above, m.Assign) or len(above.targets) != 1:
            continue
        target = above.targets[0]
        hit = site.scope.names.get(mean.id, [])
        if (
            isinstance(target, m.Seq)
            and isinstance(target.items[0], m.Name)
            and target.items[0].id == mean.id
            and len(hit) == 1
        ):
            return moments
    return None


def _has_flag(scope: Scope) -> bool:
    """Whether the function knows a training flag: without one, batch statistics may be what is meant."""
    node = scope.node
    return isinstance(node, m.Function) and any(
        tf1.FLAG_NAMES.match(p.name) and p.name != "trainable" for p in node.params
    )


def _keeps(scope: Scope) -> bool:
    root = scope
    while root.parent is not None and root.parent.node is not None:
        root = root.parent
    for node in walk((root.node,)) if root.node is not None else ():
        word = node.name if isinstance(node, m.Attr) else node.id if isinstance(node, m.Name) else ""
        if word in _KEEPS or "moving" in word or "running" in word or "ema" in word.split("_"):
            return True
        if (
            isinstance(node, m.Const)
            and isinstance(node.value, str)
            and ("moving" in node.value or "pop" in node.value)
        ):
            return True
    return False


def _is_average(view: Tf1, site: Site) -> bool:
    if not isinstance(site.call.func, m.Attr) or not isinstance(site.call.func.value, m.Name):
        return False
    meaning = view.names.resolve(site.call.func.value, site.scope)
    made = meaning.expr if isinstance(meaning, Value) else None
    return isinstance(made, m.Call) and view.words.tail(made) == "ExponentialMovingAverage"


def _depended_on(view: Tf1, site: Site) -> bool:
    """Whether the update is used in any way: its name is read, or it stands inside another expression."""
    parents: Parents = view.parents(site.scope.path)
    above = parents.above(site.call)
    if isinstance(above, m.Do):
        return False
    if not isinstance(above, m.Assign) or not all(isinstance(target, m.Name) for target in above.targets):
        return True
    names = {target.id for target in above.targets if isinstance(target, m.Name)}
    root = site.scope.node if site.scope.node is not None else view.names.files[site.scope.path].body
    return any(
        isinstance(node, m.Name) and node.id in names and not is_target(node, parents.above(node))
        for node in walk((root,))
    )
