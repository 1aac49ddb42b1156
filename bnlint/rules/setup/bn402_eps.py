"""BN402 eps-too-large: an epsilon that swamps the variance, most often a momentum in eps' place."""

import re
from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.facts.walk import calls, dotted
from bnlint.finding import Persona, Severity
from bnlint.project.link import Project
from bnlint.project.norms import NormUse, Setting
from bnlint.project.testfiles import is_test_file
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, rule, unsafe

META = Meta(
    code="BN402",
    name="eps-too-large",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch", "keras", "tf1", "flax", "haiku", "equinox", "paddle", "mxnet", "onnx", "mlx"),
    says="{value} is {argument} here{slot}: it is added to the variance and swamps it{hint}",
    why="y = (x - mean) / sqrt(var + eps): with an eps near the variance the output is no longer normalised, in training "
    "and in evaluation. The second positional argument of PyTorch's batch norms is eps, not momentum.",
    fix_safety="Unsafe, and a guess: a number below 1 in eps' place becomes the momentum it most likely is, what cannot be one is taken out.",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html",),
    proof="test_bn402_eps.py",
    examples=(
        Example(
            bad="from torch import nn\n\nnorm = nn.BatchNorm2d(64, 0.8)  # <-\n",
            good="from torch import nn\n\nnorm = nn.BatchNorm2d(64, momentum=0.2)\n",
            fixable=True,
        ),
        Example(
            bad="from torch import nn\n\n\ndef norm(channels):\n    return nn.BatchNorm2d(channels, channels)  # <-\n",
            good="from torch import nn\n\n\ndef norm(channels):\n    return nn.BatchNorm2d(channels)\n",
            fixable=True,
        ),
    ),
)

_MOMENTUM_NAME = re.compile(r"(?:^|[_.])(?:bn_?)?(?:mom(?:entum)?|decay(?:_rate)?)$", re.IGNORECASE)


@rule(META)
def eps_too_large(file: m.FileFacts, project: Project) -> Iterator[Finding]:
    """What reaches eps: a large number, a momentum by name, or the number of channels again."""
    for use in sorted(project.norms.uses(file.path), key=lambda use: use.at):
        if use.eps is None:
            continue
        value = _named_wrongly(use, use.eps) or _flag(use.eps)
        if value is not None:
            yield _finding(file, use, use.eps, value, "error", "regular")
            continue
        for (path, at), number in _large(use.eps, file, project):
            slot = use.eps.slot is not None and at == use.eps.value.at
            clear = slot or (number >= 0.1 and not is_test_file(path))
            severity: Severity = "error" if clear else "info"
            found = _finding(file, use, use.eps, f"{number:g}", severity, "regular" if clear else "pedantic", at=at)
            yield found._replace(place=found.place._replace(path=path)) if path != file.path else found


def _large(eps: Setting, file: m.FileFacts, project: Project) -> list[tuple[tuple[str, int], float]]:
    """Numbers of 0.01 and more that reach eps, each at the argument that gives it, or at eps itself."""
    found: dict[tuple[str, int], float] = {}
    for number in project.constants.numbers(eps.value, eps.scope):
        if number.value < 0.01 or file.path not in (eps.scope.path, number.path):
            continue
        place = (number.path, number.at) if number.how == "argument" else (file.path, eps.value.at)
        found[place] = max(number.value, found.get(place, 0.0))
    return sorted(found.items())


def _named_wrongly(use: NormUse, eps: Setting) -> str | None:
    name = dotted(eps.value)
    if name is None or eps.slot is None:
        return None
    first = use.arguments[0] if use.arguments else None
    again = eps.slot == 1 and first is not None and first.keyword is None and dotted(first.value) == name
    return name if again or _MOMENTUM_NAME.search(name) else None


def _flag(eps: Setting) -> str | None:
    return "True" if isinstance(eps.value, m.Const) and eps.value.value is True else None


def _finding(
    file: m.FileFacts, use: NormUse, eps: Setting, value: str, severity: Severity, persona: Persona, at: int = -1
) -> Finding:
    positional = eps.slot is not None and at in (-1, eps.value.at)
    order = f" (argument {(eps.slot or 0) + 1} of {use.norm.framework}'s batch norm)" if positional else ""
    edits = _edits(file, use, eps, value) if at in (-1, eps.value.at) and eps.scope.path == file.path else ()
    lines = f"{use.norm.momentum}=…, {use.norm.eps}={use.norm.default_eps:g}"
    return META.finding(
        file.path,
        at if at >= 0 else eps.value.at if eps.scope.path == file.path else use.at,
        fix=unsafe("Name what is meant", edits) or Fix("Give both by keyword", "advice", lines=lines),
        severity=severity,
        persona=persona,
        value=value,
        argument=use.norm.eps,
        slot=order,
        hint=f"; name the argument that is meant, such as {use.norm.momentum}=" if positional else "",
    )


def _edits(file: m.FileFacts, use: NormUse, eps: Setting, value: str) -> tuple[Edit, ...]:
    call = next((call for call in calls(file.body) if call.at == use.at), None)
    number = _place(call, eps.value.at) if call is not None else None
    if call is None or number is None:
        return ()
    default = f"{use.norm.default_eps:g}"
    if eps.slot is None:
        return (Edit(use.at, "set_keyword", (use.norm.eps, default)),)
    meant = _meant(use, value)
    follows = any(arg.keyword is None for arg in call.args[number + 1 :])
    if follows or any(arg.keyword == use.norm.momentum for arg in call.args):
        return (Edit(use.at, "set_argument", (str(number), default)),)
    if meant is None:
        return (Edit(use.at, "remove_argument", (str(number),)),)
    return (
        *((Edit(use.at, "set_argument", (str(number), meant)),) if meant != value else ()),
        Edit(use.at, "name_argument", (str(number), use.norm.momentum)),
    )


def _place(call: m.Call, at: int) -> int | None:
    return next((n for n, arg in enumerate(call.args) if arg.value.at == at and not arg.star), None)


def _meant(use: NormUse, value: str) -> str | None:
    """The momentum that a value in eps' place most likely is: in PyTorch the other side of what Keras would say."""
    if _MOMENTUM_NAME.search(value):
        return value
    try:
        number = float(value)
    except ValueError:
        return None
    if not 0 < number < 1:
        return None
    other = (number >= 0.5) if use.norm.weighs == "new" else (number <= 0.5)
    return f"{round(1 - number, 12):g}" if other else value
