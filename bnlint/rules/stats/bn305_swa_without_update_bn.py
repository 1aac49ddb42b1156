"""BN305 swa-without-update-bn: averaged weights meet running statistics of another network."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.torch.parameter_copies import UPDATES
from bnlint.rules._base import Example, Finding, Fix, Meta, rule

_NET = """\
import copy

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
_HEAD = """\
def run(model: Net, loader, train_one):
    swa = torch.optim.swa_utils.AveragedModel(model){mark}
    for epoch in range(10):
        train_one(model, loader)
        swa.update_parameters(model)
"""
META = Meta(
    code="BN305",
    name="swa-without-update-bn",
    severity="warning",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="the averaged weights never get running statistics of their own: update_bn() is missing",
    why="The mean of the weights produces other activations than the last model, whose running statistics it has; evaluation is off.",
    fix_safety="No automatic fix: after the last update call torch.optim.swa_utils.update_bn(train_loader, averaged_model).",
    references=("https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema",),
    proof="test_bn305_swa_without_update_bn.py",
    examples=(
        Example(
            bad=_NET + _HEAD.format(mark="  # <-") + '    torch.save(swa.state_dict(), "swa.pt")\n',
            good=_NET
            + _HEAD.format(mark="")
            + "    torch.optim.swa_utils.update_bn(loader, swa)\n"
            + '    torch.save(swa.state_dict(), "swa.pt")\n',
        ),
    ),
)


@rule(META)
def swa_without_update_bn(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find stochastic weight averages in programs that never recompute batch norm statistics."""
    copying = project.torch.copying
    for call, scope in copying.averages(file):
        if not copying.anywhere(file.path, frozenset({"update_parameters"})) or copying.uses_any(file.path, UPDATES):
            continue
        if not project.torch.verdicts.may_hold_batch_norm(call.args[0].value, scope):
            continue
        lines = "torch.optim.swa_utils.update_bn(train_loader, averaged_model)  # after the last update_parameters()"
        yield META.finding(file.path, call.at, fix=Fix("Compute the statistics anew", "advice", lines=lines))
