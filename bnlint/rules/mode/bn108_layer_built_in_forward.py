"""BN108 layer-built-in-forward: a dropout or batch norm is made and called on the spot, so no mode ever reaches it."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.facts.model import FileFacts
from bnlint.frameworks.torch import FUNCTIONAL_OF
from bnlint.project.link import Project
from bnlint.project.torch.construction import Fresh
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, rule

META = Meta(
    code="BN108",
    name="layer-built-in-forward",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch", "keras"),
    says="{layer} is made anew in each call, so {harm}",
    why="A layer that is not an attribute of the module is no part of it: eval() does not reach it, nothing trains or saves it.",
    fix_safety="Safe for dropouts (`nn.Dropout(p)(x)` becomes `nn.functional.dropout(x, p, training=self.training)`); none for batch norms.",
    references=("https://docs.pytorch.org/docs/stable/notes/modules.html",),
    proof="test_bn108_layer_built_in_forward.py",
    examples=(
        Example(
            bad=(
                "import torch.nn as nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
                "        self.fc = nn.Linear(4, 4)\n\n    def forward(self, x):\n        return nn.Dropout(0.5)(self.fc(x))  # <-\n"
            ),
            good=(
                "import torch.nn as nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
                "        self.fc = nn.Linear(4, 4)\n        self.drop = nn.Dropout(0.5)\n\n    def forward(self, x):\n"
                "        return self.drop(self.fc(x))\n"
            ),
        ),
    ),
)
_HARM = {
    "dropout": "it is always on, also after eval()",
    "batch norm": "it always uses the batch's statistics, and its weights and averages are thrown away",
}


@rule(META)
def layer_built_in_forward(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find layers with a mode that are made where they are used."""
    for fresh in project.torch.construction.made_in_forward(file):
        yield META.finding(file.path, fresh.call.at, layer=fresh.name, harm=_HARM[fresh.kind], fix=_fix(fresh))


def _fix(fresh: Fresh) -> Fix | None:
    if fresh.name not in FUNCTIONAL_OF or fresh.call.func is not fresh.maker or len(fresh.call.args) != 1:
        return None
    first, rest = fresh.maker.args[:1], fresh.maker.args[1:]
    if any(arg.star for arg in first) or not all(arg.keyword in {"p", "inplace"} for arg in rest):
        return None
    if not isinstance(fresh.maker.func, m.Attr) or not isinstance(fresh.maker.func.value, m.Attr | m.Name):
        return None
    return Fix(
        "Use F.dropout with the module's mode",
        "safe",
        (Edit(fresh.call.at, "dropout_to_functional", (FUNCTIONAL_OF[fresh.name],)),),
    )
