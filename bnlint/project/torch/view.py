"""The PyTorch view of a project: one object that holds the analyses, each made at first use."""

from collections.abc import Iterator
from functools import cached_property

from bnlint.facts.model import FileFacts
from bnlint.frameworks.known import NOTHING, Known
from bnlint.project.calls import Calls
from bnlint.project.names import Names
from bnlint.project.torch.construction import Construction
from bnlint.project.torch.copying import Copying
from bnlint.project.torch.functional import Functional
from bnlint.project.torch.judges import JUDGES
from bnlint.project.torch.layers import Layers
from bnlint.project.torch.lightning import Thawed, thawed_by_trainer
from bnlint.project.torch.machine import Machine
from bnlint.project.torch.owners import Owners
from bnlint.project.torch.programs import Programs
from bnlint.project.torch.repairs import Repairs
from bnlint.project.torch.structure import Structure
from bnlint.project.torch.verdicts import Verdicts
from bnlint.project.torch.words import Vocabulary


class Torch:
    """All that is known of torch modules and their modes."""

    def __init__(self, names: Names, calls: Calls, known: Known = NOTHING) -> None:
        self.names = names
        self.calls = calls
        self.vocabulary = Vocabulary(known)

    @cached_property
    def layers(self) -> Layers:
        """Which networks hold layers with a mode."""
        return Layers(self.names, self.calls)

    @cached_property
    def owners(self) -> Owners:
        """Which classes belong to a framework."""
        return Owners(self.names, self.vocabulary.known.mode_frameworks)

    @cached_property
    def functional(self) -> Functional:
        """Functional layers and their flags."""
        return Functional(self.names, self.calls, self.layers, self.vocabulary)

    @cached_property
    def construction(self) -> Construction:
        """How module classes are written."""
        return Construction(self.names, self.calls, self.layers)

    @cached_property
    def machine(self) -> Machine:
        """The analysis of modes: summaries of functions, uses of networks."""
        return Machine(self.names, self.calls, self.layers, self.owners, self.programs, self.vocabulary)

    @cached_property
    def verdicts(self) -> Verdicts:
        """Networks found in the wrong mode."""
        return Verdicts(self.machine, self.programs, JUDGES)

    @cached_property
    def repairs(self) -> Repairs:
        """Edits for networks in the wrong mode."""
        return Repairs(self.names)

    @cached_property
    def copying(self) -> Copying:
        """Copies and averages of weights."""
        return Copying(self.names, self.calls, self.programs, self.vocabulary)

    @cached_property
    def programs(self) -> Programs:
        """Which files belong together."""
        return Programs(self.names)

    def thawed_by_trainer(self, file: FileFacts) -> Iterator[Thawed]:
        """What a Trainer of Lightning before 2.2 takes out of eval mode."""
        return thawed_by_trainer(self.names, self.layers, file)

    @cached_property
    def structure(self) -> Structure:
        """How networks are put together."""
        return Structure(self.names, self.layers, self.programs, self.vocabulary)
