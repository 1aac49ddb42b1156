"""BN404 batch-of-one: a training loader may end in a batch of one."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.rules._base import Edit, Example, Finding, Meta, rule, unsafe

META = Meta(
    code="BN404",
    name="batch-of-one",
    severity="info",
    confidence="medium",
    persona="pedantic",
    since="0.1",
    frameworks=("torch",),
    says="the last batch may hold one sample, which BatchNorm1d refuses in training; give drop_last=True",
    why="With one value per channel there is no variance: PyTorch raises an error at the end of some epoch.",
    fix_safety="Unsafe: `drop_last=True` leaves samples out.",
    references=("https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader",),
    proof="test_bn404_batch_of_one.py",
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


def loader(train_set):
    return torch.utils.data.DataLoader(train_set, batch_size=32, shuffle=True)  # <-
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


def loader(train_set):
    return torch.utils.data.DataLoader(train_set, batch_size=32, shuffle=True, drop_last=True)
""",
            fixable=True,
        ),
    ),
)


@rule(META)
def batch_of_one(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find training loaders without drop_last in programs with BatchNorm1d."""
    structure = project.torch.structure
    if structure.program_holds(file.path, "BatchNorm1d"):
        for call in structure.short_batches(file):
            edits = (Edit(call.at, "add_keyword", ("drop_last", "True")),)
            yield META.finding(file.path, call.at, fix=unsafe("Drop the last short batch", edits))
