"""Positional arguments of batch norms that are a training flag, but land in axis, decay or momentum."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.frameworks import tf1
from bnlint.project.names import External
from bnlint.project.scopes import Scope
from bnlint.project.tf1.analysis import Tf1

# In these slots a bool is normal; only a flag by name is out of place.
_BOOL_SLOTS = frozenset({"center", "scale"})


class Misplaced(NamedTuple):
    """Argument number `number` of `call` is a flag and fills `slot`; it belongs to `flag`."""

    call: m.Call
    number: int
    slot: str
    flag: str
    last: bool


def misplaced(view: Tf1, path: str) -> Iterator[Misplaced]:
    """All misplaced flags of one file."""
    for use in view.uses(path):
        if use.how == "call" and use.norm is not tf1.LAYER_CLASS:
            yield from _judge(view, use.call, use.scope, use.norm.slots, use.norm.flag)
    for site in view.scan(path).named("BatchNormalization", "BatchNorm"):
        name = view.words.name(site.call.func, site.scope)
        slots = tf1.constructor_slots(name) if name is not None else None
        if slots is not None:
            yield from _judge(view, site.call, site.scope, *slots)


def _judge(view: Tf1, call: m.Call, scope: Scope, slots: tuple[str, ...], flag: str) -> Iterator[Misplaced]:
    if any(arg.star for arg in call.args) or any(arg.keyword == flag for arg in call.args):
        return
    positional = [arg.value for arg in call.args if arg.keyword is None]
    for number, (value, slot) in enumerate(zip(positional, slots, strict=False)):
        if slot in ("inputs", flag):
            continue
        if _is_flag(view, value, scope, named_only=slot in _BOOL_SLOTS):
            yield Misplaced(call, number, slot, flag, number == len(positional) - 1)
            return


def _is_flag(view: Tf1, value: m.Expr, scope: Scope, *, named_only: bool) -> bool:
    if isinstance(value, m.Const):
        return isinstance(value.value, bool) and not named_only
    if isinstance(value, m.Op):
        return not named_only and value.op in ("not", "==", "!=", "is")
    if not isinstance(value, m.Name | m.Attr):
        return False
    name = value.id if isinstance(value, m.Name) else value.name
    if tf1.FLAG_NAMES.match(name) and name not in ("phase", "mode"):
        return True
    made = view.graph.instance(value, scope)
    return (
        isinstance(made, External)
        and made.name.rpartition(".")[2] in tf1.PLACEHOLDERS
        and not named_only
        and _bool(view, value, scope)
    )


def _bool(view: Tf1, value: m.Expr, scope: Scope) -> bool:
    meaning = view.norm_finder._maker(value, scope)
    return meaning is not None and any(
        isinstance(arg.value, m.Attr) and arg.value.name == "bool" for arg in meaning.args
    )
