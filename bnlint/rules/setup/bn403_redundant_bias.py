"""BN403 redundant-bias: a bias that the batch norm after it takes away."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.rules._base import Edit, Example, Finding, Meta, rule, unsafe

META = Meta(
    code="BN403",
    name="redundant-bias",
    severity="info",
    confidence="medium",
    persona="pedantic",
    since="0.1",
    frameworks=("torch",),
    says="the bias of this {layer} is taken away by the batch norm that follows",
    why="Batch norm subtracts the mean, and with it every constant; the bias costs memory and time and learns nothing.",
    fix_safety="Unsafe: `bias=False` takes a key out of checkpoints.",
    references=("https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html",),
    proof="test_bn403_redundant_bias.py",
    examples=(
        Example(
            bad="""\
import torch
import torch.nn as nn


net = nn.Sequential(
    nn.Conv2d(3, 8, 3),  # <-
    nn.BatchNorm2d(8),
)
""",
            good="""\
import torch
import torch.nn as nn


net = nn.Sequential(
    nn.Conv2d(3, 8, 3, bias=False),
    nn.BatchNorm2d(8),
)
""",
            fixable=True,
        ),
    ),
)


@rule(META)
def redundant_bias(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find layers with a bias directly before a batch norm."""
    for pair in project.torch.structure.biased(file):
        edits = (Edit(pair.first.at, "add_keyword", ("bias", "False")),)
        yield META.finding(file.path, pair.first.at, layer=pair.name, fix=unsafe("Leave the bias out", edits))
