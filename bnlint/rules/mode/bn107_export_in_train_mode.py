"""BN107 export-in-train-mode: what is traced, exported or fused is in training mode."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.frameworks.torch import BAKING
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
def export(path):
    model = Net()
    model.load_state_dict(torch.load(path))
    torch.jit.trace(model, torch.zeros(2, 4)).save("net.pt")  # <-
"""
_GOOD = """\
def export(path):
    model = Net()
    model.load_state_dict(torch.load(path))
    model.eval()
    torch.jit.trace(model, torch.zeros(2, 4)).save("net.pt")
"""
META = Meta(
    code="BN107",
    name="export-in-train-mode",
    severity="warning",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="{net} holds {layer} and is exported in training mode",
    why="Tracing and exporting write the present mode down for good: the result keeps dropping and normalising by the batch.",
    fix_safety="Unsafe: what is exported changes (that is the point).",
    references=("https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval",),
    proof="test_bn107_export_in_train_mode.py",
    examples=(Example(bad=_NET + _BAD, good=_NET + _GOOD, fixable=True),),
)


@rule(META)
def export_in_train_mode(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find traces, exports and fusions of networks in training mode."""
    for verdict in project.torch.verdicts.of("baked in train", file.path):
        yield META.judged(
            verdict,
            unsafe(
                f"Export {verdict.network} in eval mode",
                project.torch.repairs.exported(verdict, BAKING.get(verdict.use.words, 0)),
            ),
        )
