"""BN406 dropout-before-batch-norm: a dropout directly before a batch norm."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.rules._base import Example, Finding, Fix, Meta, rule

META = Meta(
    code="BN406",
    name="dropout-before-batch-norm",
    severity="info",
    confidence="medium",
    persona="pedantic",
    since="0.1",
    frameworks=("torch",),
    says="{layer} directly before a batch norm: the variance it sees in training is not the one of evaluation",
    why="Dropout changes the variance in training only; the running variance learns the larger one and is wrong in evaluation.",
    fix_safety="No automatic fix: the order of layers is a choice.",
    references=("https://arxiv.org/abs/1801.05134",),
    proof="test_bn406_dropout_before_batch_norm.py",
    examples=(
        Example(
            bad="""\
import torch
import torch.nn as nn


net = nn.Sequential(
    nn.Linear(4, 8),
    nn.Dropout(0.5),  # <-
    nn.BatchNorm1d(8),
)
""",
            good="""\
import torch
import torch.nn as nn


net = nn.Sequential(
    nn.Linear(4, 8, bias=False),
    nn.BatchNorm1d(8),
    nn.Dropout(0.5),
)
""",
        ),
    ),
)

_ADVICE = Fix(
    "Put the dropout behind", "advice", lines="nn.BatchNorm1d(n), nn.ReLU(), nn.Dropout(p)  # the dropout last"
)


@rule(META)
def dropout_before_batch_norm(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find dropouts directly before a batch norm."""
    for pair in project.torch.structure.dropped(file):
        yield META.finding(file.path, pair.first.at, layer=pair.name, fix=_ADVICE)
