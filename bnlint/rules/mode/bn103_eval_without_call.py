"""BN103 eval-without-call: ``model.eval`` stands as a statement and does nothing."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.project.link import Project
from bnlint.project.names import Definition, External, Module
from bnlint.project.scopes import Scope
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, rule

META = Meta(
    code="BN103",
    name="eval-without-call",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch", "flax nnx", "paddle"),
    says="`{code}` is not called: the mode does not change",
    why="Without parentheses the line only looks the method up, so the network stays in the mode it had.",
    fix_safety="Safe: adds the parentheses.",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval",),
    proof="test_bn103_eval_without_call.py",
    examples=(
        Example(
            bad="import torch\n\n\ndef predict(model, x):\n    model.eval  # <-\n    with torch.no_grad():\n        return model(x)\n",
            good="import torch\n\n\ndef predict(model, x):\n    model.eval()\n    with torch.no_grad():\n        return model(x)\n",
            fixable=True,
        ),
    ),
)
_MODES = frozenset({"eval", "train"})
_LIBRARIES = (
    "torch",
    "paddle",
    "flax",
    "lightning",
    "pytorch_lightning",
    "timm",
    "transformers",
    "accelerate",
    "torchvision",
)


@rule(META)
def eval_without_call(file: m.FileFacts, project: Project) -> Iterator[Finding]:
    """Find statements that only name the method."""
    if not _uses_modules(file, project):
        return
    for scope in project.names.scopes(file.path).values():
        for node in scope.of(m.Do):
            if _is_mode_method(node.value) and not _is_of_module(node.value, scope, project):
                assert isinstance(node.value, m.Attr)
                code = f"{_words(node.value.value)}.{node.value.name}"
                fix = Fix(f"Call `{code}()`", "safe", (Edit(node.value.at, "call"),))
                yield META.finding(file.path, node.at, code=code, fix=fix)


def _is_mode_method(expr: m.Expr) -> bool:
    return isinstance(expr, m.Attr) and expr.name in _MODES


def _is_of_module(expr: m.Expr, scope: Scope, project: Project) -> bool:
    """`import train` … `train.eval`: a function of a module, or of a class, is no mode."""
    assert isinstance(expr, m.Attr)
    meaning = project.names.resolve(expr.value, scope)
    return isinstance(meaning, Module | External | Definition)


def _uses_modules(file: m.FileFacts, project: Project) -> bool:
    """Whether the file, or one that it imports, imports a library whose networks have these methods."""
    scopes = project.names.scopes(file.path).values()
    own: list[m.Import | m.From] = []
    for scope in scopes:
        own += (*scope.of(m.Import), *scope.of(m.From))
    if any(name.split(".")[0] in _LIBRARIES for node in own for name in _imported(node)):
        return True
    return any(
        project.names.modules.find(file.path, name, node.level if isinstance(node, m.From) else 0) is not None
        for node in own
        for name in _imported(node)
    )


def _imported(node: m.Import | m.From) -> list[str]:
    return [node.module] if isinstance(node, m.From) else [alias.name for alias in node.names]


def _words(expr: m.Expr) -> str:
    if isinstance(expr, m.Name):
        return expr.id
    if isinstance(expr, m.Attr):
        return f"{_words(expr.value)}.{expr.name}"
    return "…"
