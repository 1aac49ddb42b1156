"""Which code of a program can run at all, by names: used from a start file, or from code that is used."""

from collections.abc import Iterable

from bnlint.facts import model as m
from bnlint.project.scopes import Scope
from bnlint.project.tf1.scan import Scan, Unit

Key = tuple[str, int | None]


def key_of(scope: Scope) -> Key:
    """Identity of a scope across the project."""
    return scope.path, None if scope.node is None else scope.node.at


def live_units(scans: Iterable[Scan], roots: frozenset[str]) -> frozenset[Key]:
    """Scopes that can run: code of modules, what it names, what that names …, and all of the start files.

    Names are compared as words, so that a method of an object of unknown class counts as used: more is live than
    really is, never less (but for what is looked up by a string).
    """
    scans = list(scans)
    units = [unit for scan in scans for unit in scan.units]
    by_name: dict[str, list[Unit]] = {}
    for unit in units:
        by_name.setdefault(_name(unit.scope), []).append(unit)
    alive: set[Key] = set()
    words: set[str] = set()
    stack = [unit for unit in units if unit.scope.node is None or unit.scope.path in roots]
    while stack:
        unit = stack.pop()
        if key_of(unit.scope) in alive:
            continue
        alive.add(key_of(unit.scope))
        new = unit.used - words
        words |= new
        for word in new:
            stack.extend(by_name.get(word, ()))
    return _whole(units, alive, words)


def _whole(units: list[Unit], alive: set[Key], words: set[str]) -> frozenset[Key]:
    """Add what lives with its surroundings (lambdas, magic methods), and follow what these name."""
    grown = True
    while grown:
        grown = False
        for unit in units:
            scope = unit.scope
            if key_of(scope) in alive or scope.parent is None:
                continue
            name = _name(scope)
            with_parent = isinstance(scope.node, m.Lambda) or (name.startswith("__") and name.endswith("__"))
            if name in words or (with_parent and key_of(scope.parent) in alive):
                alive.add(key_of(scope))
                words |= unit.used
                grown = True
    return frozenset(alive)


def _name(scope: Scope) -> str:
    return getattr(scope.node, "name", "") if scope.node is not None else ""
