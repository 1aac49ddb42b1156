"""BN104 train-mode-in-evaluation: an evaluation function puts the network in training mode."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.rules._base import Example, Finding, Meta, rule, unsafe

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
def evaluate(model: Net, test_loader):
    model.train()  # <-
    correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct
"""
_GOOD = """\
def evaluate(model: Net, test_loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct
"""
META = Meta(
    code="BN104",
    name="train-mode-in-evaluation",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="{net} (holds {layer}) is put in training mode by a function that evaluates it",
    why="The line is often copied from the training function; the scores then depend on the batch, and the statistics learn the test data.",
    fix_safety="Unsafe: evaluation results change (that is the point).",
    references=("https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval",),
    proof="test_bn104_train_mode_in_evaluation.py",
    examples=(Example(bad=_NET + _BAD, good=_NET + _GOOD, fixable=True),),
)


@rule(META)
def train_mode_in_evaluation(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find train() calls in functions that evaluate."""
    for verdict in project.torch.verdicts.of("train in evaluation", file.path):
        yield META.judged(verdict, unsafe(f"Put {verdict.network} in eval mode", project.torch.repairs.turned(verdict)))
