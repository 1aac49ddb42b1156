"""BN902 unused-suppression: a comment silences a finding that is not there (any more)."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.finding import Finding
from bnlint.project.link import Project
from bnlint.rules._base import Example, Meta, rule

META = Meta(
    code="BN902",
    name="unused-suppression",
    severity="info",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=(),
    says="{comment} silences nothing",
    why="A comment that outlives its finding would hide the next one.",
    fix_safety="No automatic fix: take the comment out.",
    examples=(
        Example(
            bad=(
                "import torch\n\n\ndef evaluate(model, x):\n    with torch.no_grad():\n"
                "        model.eval()  # bnlint: ignore[BN103]  # <-\n        return model(x)\n"
            ),
            good="import torch\n\n\ndef evaluate(model, x):\n    with torch.no_grad():\n        model.eval()\n        return model(x)\n",
        ),
    ),
    notes="Only comments for rules that are selected are judged; `# noqa` never is.",
    proof="not observable: the rule speaks of comments",
)


@rule(META)
def unused_suppression(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Nothing here: which comments were of no use is known when all other rules have spoken (see bnlint.run)."""
    yield from ()
