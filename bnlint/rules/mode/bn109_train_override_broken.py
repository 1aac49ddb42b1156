"""BN109 train-override-broken: a module's own ``train`` forgets ``return self``, ``mode`` or ``super``."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.torch.overrides import broken_train
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, rule

_HEAD = "import torch.nn as nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.bn = nn.BatchNorm1d(3)\n\n"
META = Meta(
    code="BN109",
    name="train-override-broken",
    severity="warning",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="this train() {forgets}",
    why="eval() calls train(False) and returns what it returns: without `return self`, `net = Net().eval()` is None.",
    fix_safety="Safe: adds `return self`. A missing `mode` or `super` is only advised.",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train",),
    proof="test_bn109_train_override_broken.py",
    examples=(
        Example(
            bad=_HEAD + "    def train(self, mode=True):  # <-\n        super().train(mode)\n        self.bn.eval()\n",
            good=_HEAD
            + "    def train(self, mode=True):\n        super().train(mode)\n        self.bn.eval()\n        return self\n",
            fixable=True,
        ),
    ),
)
_FORGETS = {
    "return self": "does not return self: `net = net.train()` and `net = net.eval()` give None",
    "mode": "takes no mode: eval() calls train(False), which fails",
    "super": "does not call super().train(mode): no layer below changes its mode",
}


@rule(META)
def train_override_broken(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find overrides of ``Module.train`` that break its contract."""
    for cls in project.torch.construction.modules(file):
        broken = broken_train(cls)
        if broken is None:
            continue
        forgets = "; it ".join(_FORGETS[word] for word in broken.missing)
        fix = None
        if broken.missing == ("return self",):
            fix = Fix("Return self", "safe", (Edit(broken.function.at, "append_to_body", ("return self",)),))
        yield META.finding(file.path, broken.function.at, forgets=forgets, fix=fix)
