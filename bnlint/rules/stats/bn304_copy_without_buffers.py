"""BN304 copy-without-buffers: an average or copy takes the parameters and leaves the running statistics behind."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.facts.walk import dotted
from bnlint.project.link import Project
from bnlint.project.torch.parameter_copies import Copy
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, Place, rule, unsafe

_NET = """\
import copy

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
_HEAD = """\
class Ema:
    def __init__(self, model):
        self.ema = copy.deepcopy(model).eval()

    @torch.no_grad()
    def update(self, model):
"""
META = Meta(
    code="BN304",
    name="copy-without-buffers",
    severity="warning",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="only the parameters of {source} reach {target}, which runs in eval mode: its running statistics stay as they were",
    why="parameters() holds no running_mean and running_var; in eval mode the copy normalises with the old ones.",
    fix_safety="Unsafe: copies the buffers too, which changes the copy's evaluation.",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.buffers",),
    proof="test_bn304_copy_without_buffers.py",
    examples=(
        Example(
            bad=_NET
            + _HEAD
            + """\
        for e, p in zip(self.ema.parameters(), model.parameters()):  # <-
            e.mul_(0.999).add_(p, alpha=0.001)
""",
            good=_NET
            + _HEAD
            + """\
        for e, p in zip(self.ema.parameters(), model.parameters()):
            e.mul_(0.999).add_(p, alpha=0.001)
        for mine, theirs in zip(self.ema.buffers(), model.buffers()):
            mine.copy_(theirs)
""",
        ),
    ),
)


@rule(META)
def copy_without_buffers(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find copies of parameters into a network that is evaluated."""
    copying = project.torch.copying
    for copy in copying.without_buffers(file):
        target, source = dotted(copy.target.expr), dotted(copy.source.expr)
        evaluated = copying.evaluated(copy)
        if target is None or source is None or evaluated is None or copying.trained_mode(copy):
            continue
        if not project.torch.verdicts.may_hold_batch_norm(copy.target.expr, copy.target.scope):
            continue
        lines = f"for mine, theirs in zip({target}.buffers(), {source}.buffers()):\n    mine.data.copy_(theirs)"
        edits = (Edit(copy.loop.at, "insert_after", (lines,)),) if _named_here(copy) else ()
        fix = unsafe("Copy the buffers too", edits) or Fix("Copy the buffers too", "advice", lines=lines)
        related = (Place(*evaluated, f"{target} is put in eval mode here"),)
        yield META.finding(file.path, copy.loop.at, related=related, fix=fix, source=source, target=target)


def _named_here(copy: Copy) -> bool:
    """Whether both networks can be written where the loop stands: parameters collected elsewhere have other names there."""
    return copy.target.scope is copy.scope and copy.source.scope is copy.scope
