"""BN102 train-not-restored: after an evaluation at the end of a round, the next round trains in eval mode."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.torch.phases import half_restored
from bnlint.rules._base import Example, Finding, Meta, Place, rule, unsafe

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
def fit(train_loader, val_loader, opt, loss_fn):
    model = Net()
    model.train()
    for epoch in range(10):
        for x, y in train_loader:
            opt.zero_grad()
            loss_fn(model(x), y).backward()
            opt.step()
        model.eval()  # <-
        with torch.no_grad():
            for x, y in val_loader:
                print(loss_fn(model(x), y))
"""
_GOOD = """\
def fit(train_loader, val_loader, opt, loss_fn):
    model = Net()
    for epoch in range(10):
        model.train()
        for x, y in train_loader:
            opt.zero_grad()
            loss_fn(model(x), y).backward()
            opt.step()
        model.eval()
        with torch.no_grad():
            for x, y in val_loader:
                print(loss_fn(model(x), y))
"""
META = Meta(
    code="BN102",
    name="train-not-restored",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="{net} is still in eval mode when the next round of the loop trains it: {net}.train() is missing",
    why="From the second round on batch norm uses frozen statistics and dropout is off: the network is trained differently than in the first.",
    fix_safety="Unsafe: training results change (that is the point).",
    references=("https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval",),
    proof="test_bn102_train_not_restored.py",
    examples=(Example(bad=_NET + _BAD, good=_NET + _GOOD),),
)


@rule(META)
def train_not_restored(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find eval() calls that a loop carries back to training."""
    for verdict in project.torch.verdicts.of("not restored", file.path):
        yield META.judged(
            verdict,
            unsafe(f"Call {verdict.network}.train() in each round", project.torch.repairs.trained_again(verdict)),
        )
    for switch, used, network in half_restored(file, project.torch.vocabulary):
        if project.torch.verdicts.program_may_have_modes(file.path):
            related = [Place(file.path, used.at, "trained here, in the next round of the loop")]
            yield META.finding(file.path, switch.at, related=related, confidence="medium", net=network)
