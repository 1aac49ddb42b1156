"""BN105 eval-in-one-branch: eval() is reached on one branch only, the network is used on both."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.rules._base import Example, Finding, Fix, Meta, rule

META = Meta(
    code="BN105",
    name="eval-in-one-branch",
    severity="warning",
    confidence="medium",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="`{net}.eval()` is called on one branch only, but `{net}` is used on both",
    why="On the other branch the network is evaluated in whatever mode it was left; after training that is training mode.",
    fix_safety="No automatic fix: move eval() out of the branch.",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval",),
    proof="test_bn105_eval_in_one_branch.py",
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


def train(model: Net, loader, opt):
    model.train()
    for x in loader:
        model(x).sum().backward()
        opt.step()


def evaluate(model: Net, loader, verbose):
    if verbose:
        print(len(loader))
        model.eval()  # <-
    with torch.no_grad():
        return [model(x) for x in loader]
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


def train(model: Net, loader, opt):
    model.train()
    for x in loader:
        model(x).sum().backward()
        opt.step()


def evaluate(model: Net, loader, verbose):
    model.eval()
    if verbose:
        print(len(loader))
    with torch.no_grad():
        return [model(x) for x in loader]
""",
        ),
    ),
)


@rule(META)
def eval_in_one_branch(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find evaluations whose eval() depends on something else than the mode."""
    structure = project.torch.structure
    for call, _branch in structure.half_evaluated(file):
        if structure.trains_by_name(file, call) and project.torch.verdicts.program_has_modes(file.path):
            net = structure.receiver(call)
            fix = Fix("Call eval() on every way", "advice", lines=f"{net}.eval()  # before the branch")
            yield META.finding(file.path, call.at, net=net, fix=fix)
