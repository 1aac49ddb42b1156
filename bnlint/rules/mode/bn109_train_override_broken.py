"""BN109 train-override-broken: a module's own ``train`` forgets ``return self``, ``mode`` or ``super``."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.torch.overrides import Broken, broken_train, super_calls
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
    fix_safety="Safe where only `return self` is missing; unsafe where `mode` or `super` is, because layers below then follow the mode.",
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
        yield META.finding(file.path, broken.function.at, forgets=forgets, fix=_fix(broken))


def _fix(broken: Broken) -> Fix:
    """``return self`` alone is safe; a mode or a super that is passed on changes what the layers below do."""
    function = broken.function
    edits: list[Edit] = []
    mode = function.params[1].name if len(function.params) > 1 else "mode"
    if "mode" in broken.missing:
        edits.append(Edit(function.at, "add_parameter", ("mode", "True")))
        edits += [Edit(call.at, "add_keyword", ("mode", "mode")) for call in super_calls(function) if not call.args]
    if "super" in broken.missing:
        edits.append(Edit(function.at, "prepend_to_body", (f"super().train({mode})",)))
    if "return self" in broken.missing:
        edits.append(Edit(function.at, "append_to_body", ("return self",)))
    only = broken.missing == ("return self",)
    return Fix("Return self" if only else "Keep the contract of train()", "safe" if only else "unsafe", tuple(edits))
