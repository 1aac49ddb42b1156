"""Loops that move the weights of a network by hand: ``for q, k in zip(a.parameters(), b.parameters()): k.data.mul_(m)…``."""

from bnlint.facts import model as m
from bnlint.facts.walk import walk

_IN_PLACE = frozenset({"mul_", "copy_", "add_", "lerp_", "set_", "sub_", "div_"})


def moved_by_hand(loop: m.For) -> list[m.Expr]:
    """The networks whose weights the loop writes into."""
    sources, targets = _paired(loop)
    written = _written(loop)
    found = []
    for source, target in zip(sources, targets, strict=False):
        owner = _owner(source)
        if owner is not None and {node.id for node in walk(target) if isinstance(node, m.Name)} & written:
            found.append(owner)
    return found


def _paired(loop: m.For) -> tuple[list[m.Expr], list[m.Expr]]:
    source, target = loop.iter, loop.target
    if isinstance(source, m.Call) and isinstance(source.func, m.Name) and source.func.id == "zip":
        return [arg.value for arg in source.args], list(target.items) if isinstance(target, m.Seq) else []
    return [source], [target]


def _owner(source: m.Expr) -> m.Expr | None:
    if not isinstance(source, m.Call) or not isinstance(source.func, m.Attr):
        return None
    return source.func.value if source.func.name in {"parameters", "named_parameters"} else None


def _written(loop: m.For) -> set[str]:
    """Names whose tensors are written in place: ``k.data.mul_(…)``, ``k.data = …``, ``k.copy_(…)``."""
    found: set[str] = set()
    for node in walk(loop.body):
        written: list[m.Expr] = []
        if isinstance(node, m.Call) and isinstance(node.func, m.Attr) and node.func.name in _IN_PLACE:
            written = [node.func.value]
        elif isinstance(node, m.Assign):
            written = [target.value for target in node.targets if isinstance(target, m.Attr) and target.name == "data"]
        found |= {root.id for root in map(_root, written) if isinstance(root, m.Name)}
    return found


def _root(expr: m.Expr) -> m.Expr:
    while isinstance(expr, m.Attr | m.Call):
        expr = expr.value if isinstance(expr, m.Attr) else expr.func
    return expr
