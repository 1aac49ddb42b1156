"""BN405 shallow-search: batch norms are looked for in ``children()``, one level deep."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.project.link import Project
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, rule

META = Meta(
    code="BN405",
    name="shallow-search",
    severity="warning",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch",),
    says="`{call}()` sees only the first level; batch norms inside blocks are missed",
    why="Networks nest their layers in blocks; children() does not look into them, modules() does.",
    fix_safety="Safe: the search becomes complete.",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.modules",),
    proof="test_bn405_shallow_search.py",
    examples=(
        Example(
            bad=(
                "import torch.nn as nn\n\n\ndef freeze_bn(net):\n    for layer in net.children():  # <-\n"
                "        if isinstance(layer, nn.BatchNorm2d):\n            layer.eval()\n"
            ),
            good=(
                "import torch.nn as nn\n\n\ndef freeze_bn(net):\n    for layer in net.modules():\n"
                "        if isinstance(layer, nn.BatchNorm2d):\n            layer.eval()\n"
            ),
            fixable=True,
        ),
    ),
)
_DEEP = {"children": "modules", "named_children": "named_modules"}


@rule(META)
def shallow_search(file: m.FileFacts, project: Project) -> Iterator[Finding]:
    """Find one-level searches for batch norm."""
    for call, _scope in project.torch.construction.shallow_searches(file):
        assert isinstance(call.func, m.Attr)
        fix = Fix("Search all modules", "safe", (Edit(call.func.at, "rename_attribute", (_DEEP[call.func.name],)),))
        yield META.finding(file.path, call.at, call=call.func.name, fix=fix)
