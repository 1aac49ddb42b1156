"""Which generation of Keras a program is written for, from names that only one of them has."""

from collections.abc import Mapping
from typing import Literal

from bnlint.facts import model as m
from bnlint.frameworks import keras
from bnlint.project.calls import own_nodes
from bnlint.project.names import Names

Generation = Literal[2, 3]


class Versions:
    """Keras 2 or 3, or None where nothing tells (or both are named); what the configuration says goes before all hints."""

    def __init__(self, names: Names, target: Mapping[str, str] | None = None) -> None:
        self.names = names
        self.told: Generation | None = targeted(target or {})
        self._files: dict[str, frozenset[Generation]] = {}
        self._project: frozenset[Generation] | None = None

    def of(self, path: str) -> Generation | None:
        """The generation of one file; if the file does not tell, that of the whole project."""
        if self.told is not None:
            return self.told
        own = self._hints(path)
        if len(own) == 1:
            return next(iter(own))
        if own:
            return None
        if self._project is None:
            self._project = frozenset[Generation]().union(*map(self._hints, self.names.files))
        return next(iter(self._project)) if len(self._project) == 1 else None

    def backend(self) -> str | None:
        """The backend that the project sets by ``KERAS_BACKEND``, if it does."""
        words = {
            node.value.value
            for path, file in self.names.files.items()
            for scope in self.names.scopes(path).values()
            for node in own_nodes(scope)
            if isinstance(node, m.Assign) and _sets_backend(node) and isinstance(node.value, m.Const)
        }
        word = words.pop() if len(words) == 1 else None
        return word if isinstance(word, str) else None

    def _hints(self, path: str) -> frozenset[Generation]:
        if path not in self._files:
            self._files[path] = frozenset(self._read(path))
        return self._files[path]

    def _read(self, path: str) -> set[Generation]:
        found: set[Generation] = set()
        for scope in self.names.scopes(path).values():
            for node in own_nodes(scope):
                hint = _of_node(node)
                if hint is None and isinstance(node, m.Attr):
                    name = self.names.qualified(node, scope)
                    hint = keras.generation(name) if name is not None else None
                if hint is not None:
                    found.add(hint)
        return found


def targeted(target: Mapping[str, str]) -> Generation | None:
    """The generation that the versions of a configuration mean: TensorFlow's own Keras is Keras 3 since 2.16."""
    if "keras" in target:
        return 3 if _numbers(target["keras"]) >= (3,) else 2
    if "tensorflow" in target:
        return 3 if _numbers(target["tensorflow"]) >= (2, 16) else 2
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _of_node(node: m.Node) -> Generation | None:
    if isinstance(node, m.Import):
        hints: list[Generation | None] = [keras.generation(alias.name) for alias in node.names]
        return next((hint for hint in hints if hint is not None), None)
    if isinstance(node, m.From) and not node.level:
        origins: list[Generation | None] = [keras.generation(f"{node.module}.{alias.name}") for alias in node.names]
        return next((hint for hint in origins if hint is not None), None)
    if isinstance(node, m.Attr) and node.name == "stateless_call":
        return 3
    if isinstance(node, m.Const) and node.value == "KERAS_BACKEND":
        return 3
    return 2 if isinstance(node, m.Const) and node.value == "TF_USE_LEGACY_KERAS" else None


def _sets_backend(node: m.Assign) -> bool:
    target = node.targets[0]
    if not isinstance(target, m.Item):
        return False
    return any(isinstance(key, m.Const) and key.value == "KERAS_BACKEND" for key in target.keys)
