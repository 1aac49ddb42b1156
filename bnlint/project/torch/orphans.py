"""Classes that nobody makes an object of: what their methods do to the networks that such an object would hold."""

from collections.abc import Iterator
from typing import Any

from bnlint.facts import model as m
from bnlint.project.names import Definition
from bnlint.project.scopes import Scope
from bnlint.project.torch.modes import Walker
from bnlint.project.torch.states import Locs, State, join
from bnlint.project.torch.summary import Use

_ROUNDS = 2
_MAX_METHODS = 30


def orphans(machine: Any, path: str) -> Iterator[Definition]:
    """Classes of a file that are no network, belong to no framework, have no heirs and are never made."""
    for scope in machine.names.scopes(path).values():
        if isinstance(scope.node, m.Class) and scope.parent is not None and scope.parent.node is None:
            cls = Definition(scope.node, scope)
            apart = (
                machine.layers.is_module(cls) or machine.owners.managed_class(cls) or machine.families.has_heirs(cls)
            )
            if not apart and cls.key not in machine.constructed:
                yield cls


def uses_of(machine: Any, cls: Definition) -> tuple[Scope, tuple[Use, ...]]:
    """The uses of networks in its methods, each called after any of the others, on one object."""
    home = cls.scope.parent
    assert home is not None
    walker = Walker(home, machine, machine.names.files[cls.path], ())
    owner = m.Name(cls.node.at, cls.node.name)
    owners = walker.construct(m.Call(cls.node.at, owner, ()), cls)
    for _ in range(_ROUNDS):
        walker.uses.clear()
        walker.state = _any_method(machine, walker, cls, owners)
    made = [use for use in walker.uses.values() if use.chain and use.loc.root().kind == "new"]
    return home, tuple(use._replace(chain=use.chain[1:]) for use in made)


def _any_method(machine: Any, walker: Walker, cls: Definition, owners: Locs) -> State:
    before, ends = walker.state, [walker.state]
    for method in _methods(machine, cls):
        walker.state = before.copy()
        walker.enter(m.Call(method.node.at, m.Name(method.node.at, method.node.name), ()), method, owners)
        ends.append(walker.state)
    return join(ends) or before


def _methods(machine: Any, cls: Definition) -> list[Definition]:
    """What a user may call: public methods that take self, its own or inherited."""
    names = dict.fromkeys(
        name
        for one in machine.names.ancestors(cls)
        if isinstance(one, Definition)
        for name, bindings in one.scope.names.items()
        if (name == "__call__" or not name.startswith("_"))
        and bindings[-1].kind == "function"
        and not bindings[-1].node.decorators
    )
    found = [machine.names.method(cls, name) for name in names]
    return [method for method in found if method is not None][:_MAX_METHODS]
