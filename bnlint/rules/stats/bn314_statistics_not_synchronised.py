"""BN314 statistics-not-synchronised: each process of a distributed training normalises by its own part of the batch."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.rules._base import Example, Finding, Fix, Meta, rule

META = Meta(
    code="BN314",
    name="statistics-not-synchronised",
    severity="info",
    confidence="medium",
    persona="pedantic",
    since="0.1",
    frameworks=("torch",),
    says="each process normalises by its own part of the batch; for small parts convert with nn.SyncBatchNorm.convert_sync_batchnorm",
    why="Statistics of a few samples are noisy, and each process has others. With many samples for each process all is well.",
    fix_safety="No automatic fix: right when the batch of each process is large.",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.SyncBatchNorm.html",),
    proof="needs several processes",
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


def wrap(rank):
    return nn.parallel.DistributedDataParallel(Net().to(rank), device_ids=[rank])  # <-
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


def wrap(rank):
    net = nn.SyncBatchNorm.convert_sync_batchnorm(Net().to(rank))
    return nn.parallel.DistributedDataParallel(net, device_ids=[rank])
""",
        ),
    ),
)

_ADVICE = Fix(
    "Synchronise the statistics",
    "advice",
    lines="model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # before DistributedDataParallel",
)


@rule(META)
def statistics_not_synchronised(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find distributed programs with batch norm that never convert it."""
    structure = project.torch.structure
    for call in structure.named(file, structure.distributed):
        synchronised = project.torch.copying.anywhere(file.path, structure.synchronisers)
        if structure.program_holds(file.path) and not synchronised:
            yield META.finding(file.path, call.at, fix=_ADVICE)
