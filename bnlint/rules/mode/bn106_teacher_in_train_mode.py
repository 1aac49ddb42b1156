"""BN106 teacher-in-train-mode: a teacher gives targets in training mode."""

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
def distill(student, loader, opt, loss_fn, path):
    teacher = Net()
    teacher.load_state_dict(torch.load(path))
    for x, _ in loader:
        with torch.no_grad():
            target = teacher(x)  # <-
        loss_fn(student(x), target).backward()
        opt.step()
"""
_GOOD = """\
def distill(student, loader, opt, loss_fn, path):
    teacher = Net()
    teacher.load_state_dict(torch.load(path))
    teacher.eval()
    for x, _ in loader:
        with torch.no_grad():
            target = teacher(x)
        loss_fn(student(x), target).backward()
        opt.step()
"""
META = Meta(
    code="BN106",
    name="teacher-in-train-mode",
    severity="warning",
    confidence="high",
    persona="auditor",
    since="0.1",
    frameworks=("torch",),
    says="{net} holds {layer} and gives targets in training mode",
    why="Its targets change with the batch and with dropout, and its running statistics move although its weights do not.",
    fix_safety="Unsafe: its targets change; some methods want a teacher in training mode.",
    references=("https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval",),
    proof="test_bn106_teacher_in_train_mode.py",
    examples=(Example(bad=_NET + _BAD, good=_NET + _GOOD, fixable=True),),
)


@rule(META)
def teacher_in_train_mode(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find teachers, EMA models and feature extractors in training mode."""
    for verdict in project.torch.verdicts.of("teacher trains", file.path):
        yield META.judged(
            verdict, unsafe(f"Put {verdict.network} in eval mode", project.torch.repairs.frozen_teacher(verdict))
        )
