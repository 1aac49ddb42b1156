"""All that rules ask about JAX programs, in one place."""

from functools import cached_property

from bnlint.project.contents import Contents
from bnlint.project.jax.differentiated import Differentiated
from bnlint.project.jax.flows import Flows
from bnlint.project.jax.modes import Modes
from bnlint.project.jax.updates import Updates


class Jax:
    """The Flax, Haiku and Equinox side of a project."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.calls = contents.calls

    @cached_property
    def differentiated(self) -> Differentiated:
        """Functions whose gradient is taken."""
        return Differentiated(self.calls)

    @cached_property
    def flows(self) -> Flows:
        """Results that nobody reads."""
        return Flows(self.calls, self.differentiated)

    @cached_property
    def updates(self) -> Updates:
        """Training calls that give new statistics back."""
        return Updates(self.contents, self.differentiated)

    @cached_property
    def modes(self) -> Modes:
        """Whether nnx and equinox models are ever switched."""
        return Modes(self.calls, self.differentiated)
