"""BN306 freeze-undone: frozen batch norms are thawed by the next train()."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.torch.lightning import thaws
from bnlint.rules._base import Example, Finding, Fix, Meta, Place, rule

_NET = """\
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
        self.bn = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.bn(self.fc(x))


"""
_BAD = """\
def finetune(loader, opt, loss_fn):
    model = Net()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.eval()  # <-
    for epoch in range(10):
        model.train()
        for x, y in loader:
            loss_fn(model(x), y).backward()
            opt.step()
"""
_GOOD = """\
def finetune(loader, opt, loss_fn):
    model = Net()
    for epoch in range(10):
        model.train()
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer.eval()
        for x, y in loader:
            loss_fn(model(x), y).backward()
            opt.step()
"""
META = Meta(
    code="BN306",
    name="freeze-undone",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="the batch norms of {net} are frozen here, but train() thaws them before training",
    why="train() puts every layer in training mode, also those that were put in eval mode one by one: the statistics move again.",
    fix_safety="No automatic fix: freeze after every train(), or override train() so that it keeps them in eval mode.",
    references=("https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval",),
    proof="test_bn306_freeze_undone.py",
    examples=(Example(bad=_NET + _BAD, good=_NET + _GOOD),),
)

_ADVICE = """\
def train(self, mode=True):  # of the network: keeps its batch norms in eval mode
    super().train(mode)
    for layer in self.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
    return self"""


@rule(META)
def freeze_undone(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find freezes that a later train() takes back."""
    for verdict in project.torch.verdicts.of("freeze undone", file.path):
        yield META.judged(verdict, Fix("Freeze after every train()", "advice", lines=_ADVICE))
    if thaws(project.target):
        for thawed in project.torch.thawed_by_trainer(file):
            yield META.finding(
                file.path,
                thawed.call.at,
                related=[
                    Place(file.path, thawed.step.at, "Lightning before 2.2 calls train() on the whole module first")
                ],
                confidence="medium",
                net=f"self.{thawed.part}",
                layer=thawed.holding.layer,
                fix=Fix("Freeze after every train()", "advice", lines=_ADVICE),
            )
