"""BN307 frozen-by-requires-grad-only: weights are frozen, statistics are not."""

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
def finetune(head, loader, opt, loss_fn):
    backbone = Net()
    for p in backbone.parameters():
        p.requires_grad = False  # <-
    head.train()
    for x, y in loader:
        loss_fn(head(backbone(x)), y).backward()
        opt.step()
"""
_GOOD = """\
def finetune(head, loader, opt, loss_fn):
    backbone = Net()
    for p in backbone.parameters():
        p.requires_grad = False
    backbone.eval()
    head.train()
    for x, y in loader:
        loss_fn(head(backbone(x)), y).backward()
        opt.step()
"""
META = Meta(
    code="BN307",
    name="frozen-by-requires-grad-only",
    severity="warning",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="the weights of {net} do not learn, but it is run in training mode while training: its running statistics drift",
    why="requires_grad = False does not reach running_mean and running_var, nor dropout; only eval() does.",
    fix_safety="Unsafe: puts the frozen part in eval mode, in a `train()` of its module where it is a part of one.",
    references=("https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval",),
    proof="test_bn307_frozen_by_requires_grad_only.py",
    notes="Silent where the same file gives the network its gradients back: parts that take turns.",
    examples=(Example(bad=_NET + _BAD, good=_NET + _GOOD, fixable=True),),
)


@rule(META)
def frozen_by_requires_grad_only(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find frozen networks whose statistics still move."""
    verdicts = project.torch.verdicts
    for verdict in (*verdicts.of("weights only", file.path), *verdicts.of("quiet part", file.path)):
        if project.torch.repairs.toggled(verdict):
            continue
        yield META.judged(
            verdict, unsafe(f"Keep {verdict.network} in eval mode", project.torch.repairs.kept_in_eval(verdict))
        )
