"""BN205 functional-dropout-always-on: ``F.dropout(x)`` does not know the module's mode."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.torch.functional import Use
from bnlint.project.torch.guards import under_mode_test
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, rule

META = Meta(
    code="BN205",
    name="functional-dropout-always-on",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="`{call}` drops in evaluation too: {reason}",
    why="A functional dropout has no mode of its own; after `.eval()` it goes on dropping, and predictions are random.",
    fix_safety="Safe in a method of a torch module: passes `training=self.training`. Elsewhere no fix.",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html",),
    proof="test_bn205_functional_dropout_always_on.py",
    examples=(
        Example(
            bad=(
                "import torch.nn as nn\nimport torch.nn.functional as F\n\n\nclass Net(nn.Module):\n"
                "    def forward(self, x):\n        return F.dropout(x, p=0.5)  # <-\n"
            ),
            good=(
                "import torch.nn as nn\nimport torch.nn.functional as F\n\n\nclass Net(nn.Module):\n"
                "    def forward(self, x):\n        return F.dropout(x, p=0.5, training=self.training)\n"
            ),
            fixable=True,
        ),
    ),
)
_REASONS = {
    "missing": "`training` is True unless it is given",
    "constant": "`training` is constantly True",
    "dropout_p": "`dropout_p` applies in both modes; give 0.0 unless self.training",
}


@rule(META)
def functional_dropout_always_on(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find functional dropouts that cannot be switched off."""
    functional = project.torch.functional
    for use in functional.dropouts(file):
        on = use.flag in {"missing", "constant"} and not under_mode_test(use.call, use.scope)
        if on and not functional.said_to_be_meant(use, file):
            yield _finding(file, use, use.flag)
    for use in functional.attentions(file):
        if not functional.said_to_be_meant(use, file) and not under_mode_test(use.call, use.scope):
            yield _finding(file, use, "dropout_p")


def _finding(file: FileFacts, use: Use, why: str) -> Finding:
    fix = None
    if why == "missing" and use.in_module is not None:
        fix = Fix(
            "Pass training=self.training", "safe", (Edit(use.call.at, "add_keyword", ("training", "self.training")),)
        )
    # A constant True is often meant (Monte Carlo dropout); outside of a module nobody can say which mode is right, and
    # a hook, a guidance or an augmentation has none.
    confidence = "low" if why == "constant" or use.apart else "high" if use.in_module is not None else "medium"
    name = use.name.rsplit(".", 1)[-1]
    return META.finding(file.path, use.call.at, call=f"F.{name}", reason=_REASONS[why], fix=fix, confidence=confidence)  # type: ignore[arg-type]
