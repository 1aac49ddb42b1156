"""BN101 eval-missing: a network is evaluated in training mode."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.torch.phases import half_switched
from bnlint.project.torch.repairs import frame
from bnlint.project.torch.verdicts import Verdict
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, Place, rule

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
    fix_safety="Unsafe: evaluation results change (that is the point), and the mode has to be set back before training goes on.",
    references=("https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval",),
    proof="test_bn101_eval_missing.py",
    examples=(Example(bad=_NET + _BAD, good=_NET + _GOOD, fixable=True),),
)


@rule(META)
def eval_missing(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find calls on evaluation data that meet training mode on every way."""
    for verdict in project.torch.verdicts.of("eval missing", file.path):
        related = [Place(path, at, says) for path, at, says in verdict.way]
        yield META.finding(
            file.path,
            verdict.at,
            related=related,
            confidence=verdict.confidence,
            net=verdict.network,
            layer=verdict.layer,
            fix=_fix(verdict, project),
        )
    for call, switch, network in half_switched(file, project.torch.vocabulary):
        if project.torch.verdicts.program_may_have_modes(file.path):
            related = [Place(file.path, switch.at, f"{network} is put in training mode here, and never in eval mode")]
            yield META.finding(
                file.path, call.at, related=related, confidence="medium", net=network, layer="layers with a mode"
            )


def _fix(verdict: Verdict, project: Project) -> Fix | None:
    """eval() before the evaluation; the old mode after it, unless the function ends there."""
    where = frame(project.names, verdict.use)
    if where is None:
        return None
    edits = [Edit(where.at, "insert_before", (f"{where.network}.eval()",))]
    if not where.leaves and verdict.use.marked("trained"):
        before = f"was_training = {where.network}.training\n{where.network}.eval()"
        after = f"{where.network}.train(was_training)"
        edits = [Edit(where.at, "insert_before", (before,)), Edit(where.at, "insert_after", (after,))]
    return Fix(f"Evaluate {where.network} in eval mode", "unsafe", tuple(edits))
