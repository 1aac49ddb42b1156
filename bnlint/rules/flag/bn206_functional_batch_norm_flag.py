"""BN206 functional-batch-norm-flag: ``F.batch_norm`` with lasting statistics and a flag that never changes."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.torch.guards import under_mode_test
from bnlint.rules._base import Edit, Example, Finding, Meta, rule, unsafe

_HEAD = (
    "import torch.nn as nn\nimport torch.nn.functional as F\n\n\nclass Norm(nn.Module):\n    def forward(self, x):\n"
)
META = Meta(
    code="BN206",
    name="functional-batch-norm-flag",
    severity="warning",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="F.batch_norm keeps running statistics, but {reason}",
    why="The flag chooses between the batch's statistics and the running ones; a module must pass its own mode.",
    fix_safety="Unsafe: evaluation results change (to the running statistics).",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html",),
    proof="test_bn206_functional_batch_norm_flag.py",
    examples=(
        Example(
            bad=_HEAD + "        return F.batch_norm(x, self.mean, self.var, training=True)  # <-\n",
            good=_HEAD + "        return F.batch_norm(x, self.mean, self.var, training=self.training)\n",
            fixable=True,
        ),
    ),
)
_REASONS = {
    "constant": "`training` is constantly True: evaluation uses (and moves) the batch's statistics",
    "missing": "`training` is not given and defaults to False: the running statistics never move",
}


@rule(META)
def functional_batch_norm_flag(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Find functional batch norms whose flag does not follow the module's mode."""
    functional = project.torch.functional
    for use in functional.batch_norms(file):
        if use.in_module is None or not functional.statistics_are_own(use) or functional.said_to_be_meant(use, file):
            continue
        if under_mode_test(use.call, use.scope):
            continue
        frozen = "frozen" in use.in_module.node.name.lower() or "affine" in use.in_module.node.name.lower()
        if use.flag == "constant" or (use.flag == "missing" and not frozen):
            positional = use.flag == "constant" and not any(a.keyword == "training" for a in use.call.args)
            verb = "set_argument" if positional else "set_keyword"
            edit = Edit(use.call.at, verb, ("5" if positional else "training", "self.training"))
            confidence = "high" if use.flag == "constant" else "low"
            yield META.finding(
                file.path,
                use.call.at,
                reason=_REASONS[use.flag],
                fix=unsafe("Pass training=self.training", (edit,)),
                confidence=confidence,  # type: ignore[arg-type]
            )
