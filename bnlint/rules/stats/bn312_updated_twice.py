"""BN312 updated-twice: a checkpointed part runs its forward pass twice, and so updates its statistics twice."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.rules._base import Example, Finding, Fix, Meta, rule

META = Meta(
    code="BN312",
    name="updated-twice",
    severity="info",
    confidence="medium",
    persona="pedantic",
    since="0.1",
    frameworks=("torch",),
    says="the forward pass is computed again in the backward pass: batch norms inside update their running statistics twice",
    why="Running statistics move with the momentum applied twice; use a momentum of 1 - sqrt(1 - m), or keep norms out of the checkpoint.",
    fix_safety="No automatic fix.",
    references=("https://docs.pytorch.org/docs/stable/checkpoint.html",),
    proof="test_bn312_updated_twice.py",
    examples=(
        Example(
            bad="""\
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
        self.bn = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.bn(self.fc(x))


def run(net: Net, x):
    return torch.utils.checkpoint.checkpoint(net, x, use_reentrant=False)  # <-
""",
            good="""\
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
        self.bn = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.bn(self.fc(x))


def run(net: Net, x):
    return net(x)
""",
        ),
    ),
)

_ADVICE = Fix(
    "Keep the momentum as it is meant",
    "advice",
    lines="layer.momentum = 1 - math.sqrt(1 - layer.momentum)  # of each batch norm inside",
)


@rule(META)
def updated_twice(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find activation checkpoints in programs with batch norm."""
    structure = project.torch.structure
    for call in structure.named(file, structure.checkpoints):
        if structure.program_holds(file.path):
            yield META.finding(file.path, call.at, fix=_ADVICE)
