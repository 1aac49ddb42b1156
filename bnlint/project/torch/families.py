"""Classes and their subclasses: a method that a base only announces is the one that its only heir writes."""

from functools import cached_property

from bnlint.facts import model as m
from bnlint.project.names import Definition, Names


class Families:
    """Subclasses of the project's classes."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def filled_in(self, cls: Definition, method: Definition) -> Definition:
        """The method itself, or, where it is only announced, the one override that there is."""
        if not is_announced(method):
            return method
        found = {}
        for heir in self._heirs.get(cls.key, ()):
            override = self.names.method(heir, method.node.name)
            if override is not None and not is_announced(override):
                found[override.key] = override
        return next(iter(found.values())) if len(found) == 1 else method

    def has_heirs(self, cls: Definition) -> bool:
        """Whether a class of the project derives from it."""
        return cls.key in self._heirs

    @cached_property
    def _heirs(self) -> dict[tuple[str, int], list[Definition]]:
        index: dict[tuple[str, int], list[Definition]] = {}
        for path in self.names.files:
            for scope in self.names.scopes(path).values():
                if isinstance(scope.node, m.Class) and scope.node.bases:
                    heir = Definition(scope.node, scope)
                    for base in self.names.ancestors(heir)[1:]:
                        if isinstance(base, Definition):
                            index.setdefault(base.key, []).append(heir)
        return index


def is_announced(method: Definition) -> bool:
    """``raise NotImplementedError``, ``pass`` or a docstring, and nothing else."""
    return isinstance(method.node, m.Function) and all(
        isinstance(statement, m.Raise)
        or (isinstance(statement, m.Jump) and statement.kind == "pass")
        or (isinstance(statement, m.Do) and isinstance(statement.value, m.Const))
        for statement in method.node.body
    )
