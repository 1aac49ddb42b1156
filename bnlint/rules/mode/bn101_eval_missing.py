"""BN101 eval-missing: a network is evaluated in training mode."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.torch.phases import half_switched
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
def predict(path, data):
    model = Net()
    model.load_state_dict(torch.load(path))
    with torch.no_grad():
        return model(data)  # <-
"""
_GOOD = """\
def predict(path, data):
    model = Net()
    model.load_state_dict(torch.load(path))
    model.eval()
    with torch.no_grad():
        return model(data)
"""
META = Meta(
    code="BN101",
    name="eval-missing",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="{net} holds {layer} and is evaluated here in training mode: {net}.eval() is missing",
    why="In training mode each prediction depends on the other samples of its batch, dropout is on, and evaluation data move the running statistics.",
    fix_safety="Unsafe: evaluation results change (that is the point). A network that is trained as well, or that a caller gives, gets its old mode back in a `finally`.",
    references=("https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval",),
    proof="test_bn101_eval_missing.py",
    examples=(Example(bad=_NET + _BAD, good=_NET + _GOOD, fixable=True),),
)


@rule(META)
def eval_missing(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find calls on evaluation data that meet training mode on every way."""
    for verdict in project.torch.verdicts.of("eval missing", file.path):
        yield META.judged(
            verdict,
            unsafe(
                f"Put {verdict.network} in eval mode while it is evaluated", project.torch.repairs.evaluated(verdict)
            ),
        )
    for call, switch, network in half_switched(file, project.torch.vocabulary):
        if project.torch.verdicts.program_may_have_modes(file.path):
            related = [Place(file.path, switch.at, f"{network} is put in training mode here, and never in eval mode")]
            yield META.finding(
                file.path,
                call.at,
                related=related,
                confidence="medium",
                net=network,
                layer="layers with a mode",
                fix=unsafe(
                    f"Put {network} in eval mode else", project.torch.repairs.otherwise(file.path, switch, network)
                ),
            )
