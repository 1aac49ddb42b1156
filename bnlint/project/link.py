"""Facts of all files → Project: the one object rules ask. Read-only once it is made; each analysis is made at first use.

The analyses are imported at first use as well: rules import this module, and whoever only reads their words needs none.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from bnlint.facts.model import FileFacts
from bnlint.frameworks.known import NOTHING, Known

if TYPE_CHECKING:
    from bnlint.project.calls import Calls
    from bnlint.project.constants import Constants
    from bnlint.project.contents import Contents
    from bnlint.project.flags import Forwarding
    from bnlint.project.jax.view import Jax
    from bnlint.project.keras.view import Keras
    from bnlint.project.names import Names
    from bnlint.project.norms import Norms
    from bnlint.project.tf1 import Tf1
    from bnlint.project.torch import Torch


class Project:
    """Everything known of the program."""

    def __init__(
        self, files: Sequence[FileFacts], known: Known = NOTHING, target: Mapping[str, str] | None = None
    ) -> None:
        self.files = tuple(files)
        self.known = known
        self.target = dict(target or {})

    @cached_property
    def names(self) -> "Names":
        """What names mean, across files."""
        from bnlint.project.names import Names

        return Names(self.files, self.known.meanings())

    @cached_property
    def calls(self) -> "Calls":
        """Who calls whom, and of which class objects are."""
        from bnlint.project.calls import Calls

        return Calls(self.names)

    @cached_property
    def tf1(self) -> "Tf1":
        """TensorFlow 1: programs, flags of batch norms, and the way of their updates."""
        from bnlint.project.tf1 import Tf1

        return Tf1(self.names, self.calls)

    @cached_property
    def torch(self) -> "Torch":
        """PyTorch: layers with a mode, and the mode each object is in."""
        from bnlint.project.torch import Torch

        return Torch(self.names, self.calls, self.known)

    @cached_property
    def constants(self) -> "Constants":
        """Numbers that reach an expression."""
        from bnlint.project.constants import Constants

        return Constants(self.calls)

    @cached_property
    def norms(self) -> "Norms":
        """Uses of batch norms of all frameworks."""
        from bnlint.project.norms import Norms

        return Norms(self.calls)

    @cached_property
    def forwarding(self) -> "Forwarding":
        """Flags of the mode that are not passed on."""
        from bnlint.project.flags import Forwarding

        return Forwarding(self.calls, self.norms)

    @cached_property
    def contents(self) -> "Contents":
        """Mode-dependent layers inside Keras and JAX models."""
        from bnlint.project.contents import Contents

        return Contents(self.constants)

    @cached_property
    def keras(self) -> "Keras":
        """Keras 2 and 3: training calls, flags, versions."""
        from bnlint.project.keras.view import Keras

        return Keras(self.contents, self.target)

    @cached_property
    def jax(self) -> "Jax":
        """Flax, Haiku and Equinox: what is differentiated, and who takes the new statistics."""
        from bnlint.project.jax.view import Jax

        return Jax(self.contents)


def link(files: Sequence[FileFacts], known: Known = NOTHING, target: Mapping[str, str] | None = None) -> Project:
    """Put the facts of all files together; names that are `known` add to the tables, `target` holds the versions of
    frameworks that the configuration names.
    """
    return Project(files, known, target)
