"""Whose class is it: a torch module, a framework's class whose hooks run in the right mode, or anybody's."""

from bnlint.frameworks import torch as table
from bnlint.project.modules import Modules
from bnlint.project.names import Definition, External, Names
from bnlint.project.scopes import Scope

_HOOKS = frozenset({"LightningModule", "LightningDataModule", "Callback"})


class Owners:
    """Classes and the frameworks they belong to."""

    def __init__(self, names: Names, configured: tuple[str, ...] = ()) -> None:
        self.names = names
        self.configured = tuple(f".{prefix.strip('.')}." for prefix in configured)
        self._managed: dict[tuple[str, int], bool] = {}

    def managed(self, scope: Scope) -> bool:
        """Whether code stands in a class whose framework sets train and eval mode around it."""
        cls = self.names.class_of(scope)
        return cls is not None and self.managed_class(cls)

    def managed_class(self, cls: Definition) -> bool:
        """Whether a class derives from one of a framework that switches modes itself."""
        if cls.key not in self._managed:
            bases = self.names.ancestors(cls)
            self._managed[cls.key] = any(self._is_managed(base) for base in bases)
        return self._managed[cls.key]

    def _is_managed(self, base: Definition | External) -> bool:
        if isinstance(base, External):
            return _is_managed(base.name) or f".{base.name}.".startswith(self.configured)
        dotted = f".{'.'.join((*Modules.parts(base.path), base.node.name))}."
        return any(prefix in dotted for prefix in self.configured)


def _is_managed(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return name.startswith(table.MANAGED_BASES) or last in _HOOKS or last.endswith(("Trainer", "Learner"))
