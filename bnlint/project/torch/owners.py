"""Whose class is it: a torch module, a framework's class whose hooks run in the right mode, or anybody's."""

from bnlint.frameworks import torch as table
from bnlint.project.names import Definition, External, Names
from bnlint.project.scopes import Scope


class Owners:
    """Classes and the frameworks they belong to."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._managed: dict[tuple[str, int], bool] = {}

    def managed(self, scope: Scope) -> bool:
        """Whether code stands in a class whose framework sets train and eval mode around it."""
        cls = self.names.class_of(scope)
        return cls is not None and self.managed_class(cls)

    def managed_class(self, cls: Definition) -> bool:
        """Whether a class derives from one of a framework that switches modes itself."""
        if cls.key not in self._managed:
            bases = self.names.ancestors(cls)
            self._managed[cls.key] = any(isinstance(b, External) and _is_managed(b.name) for b in bases)
        return self._managed[cls.key]


def _is_managed(name: str) -> bool:
    return name.startswith(table.MANAGED_BASES) or name.rsplit(".", 1)[-1] in {
        "LightningModule",
        "LightningDataModule",
        "Callback",
    }
