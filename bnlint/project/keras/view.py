"""All that rules ask about Keras programs, in one place."""

from collections.abc import Mapping
from functools import cached_property

from bnlint.facts import model as m
from bnlint.facts.walk import dotted, walk
from bnlint.frameworks import keras
from bnlint.project.contents import Content, Contents, join
from bnlint.project.keras.classes import Classes
from bnlint.project.keras.flags import Flags
from bnlint.project.keras.freezing import Freezing
from bnlint.project.keras.losses import Losses
from bnlint.project.keras.tapes import Tapes
from bnlint.project.keras.version import Versions
from bnlint.project.names import Definition

_MAKERS = frozenset({"Sequential", "Model", "load_model", "model_from_json", "clone_model"})


class Keras:
    """The Keras side of a project."""

    def __init__(self, contents: Contents, target: Mapping[str, str] | None = None) -> None:
        self.contents = contents
        self.calls = contents.calls
        self.target = target or {}

    @cached_property
    def tapes(self) -> Tapes:
        """Training calls under a GradientTape."""
        return Tapes(self.calls)

    @cached_property
    def losses(self) -> Losses:
        """Training calls on the JAX and PyTorch backends."""
        return Losses(self.calls)

    @cached_property
    def classes(self) -> Classes:
        """Layers and models written as classes."""
        return Classes(self.contents)

    @cached_property
    def versions(self) -> Versions:
        """The generation of Keras that files are written for."""
        return Versions(self.calls.names, self.target)

    @cached_property
    def freezing(self) -> Freezing:
        """Models frozen after compile()."""
        return Freezing(self.calls)

    @cached_property
    def flags(self) -> Flags:
        """Modes that calls state."""
        return Flags(self.calls)

    @cached_property
    def makes_models(self) -> bool:
        """Whether any file makes or defines a model, which could tell what a model given to a function holds."""
        names = self.calls.names
        return any(
            isinstance(node, m.Class) or (dotted(node.func) or "").rsplit(".", 1)[-1] in _MAKERS
            for file in names.files.values()
            for node in walk(file.body)
            if isinstance(node, m.Class | m.Call)
        )

    @cached_property
    def makes_modes(self) -> bool:
        """Whether any file makes a batch norm or a dropout, or a model that cannot be looked into."""
        return any(
            keras.mode_layer(name) in ("norm", "dropout")
            or (keras.opaque(name) and not name.endswith(".clone_model"))  # a clone holds what its original does
            for site in self.calls.all_sites()
            for name in self.contents.external_names(site.call.func, site.scope)
        )

    def of_self(self, cls: Definition) -> Content:
        """What an object of a project's class holds, with what its makers give it (``MyModel(inputs, outputs)``)."""
        given = [self.contents.of(a.value, s.scope) for s in self.calls.sites(cls) for a in s.call.args if not a.star]
        return join([self.contents.of_class(cls), *(content._replace(known=True) for content in given)])
