"""BN401 momentum-convention: a momentum that weighs the wrong side for its framework."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from bnlint.facts.model import FileFacts
from bnlint.finding import Confidence, Persona, Severity
from bnlint.frameworks.comments import says_momentum_is_meant
from bnlint.frameworks.norms import Norm
from bnlint.project.constants import Number
from bnlint.project.link import Project
from bnlint.project.norms import NormUse
from bnlint.project.testfiles import is_test_file
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, Place, rule

META = Meta(
    code="BN401",
    name="momentum-convention",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("torch", "keras", "tf1", "flax", "haiku", "equinox", "paddle", "mxnet", "onnx", "mlx"),
    says="{argument}={value:g} weighs the {side} running value in {framework}, so {effect}{hint}",
    why="PyTorch and MLX weigh the new batch with momentum, all others the old value. With the other convention's number "
    "the running statistics are those of the last batch, or hardly move, and evaluation is noisy or wrong.",
    fix_safety="Unsafe: results change, and a checkpoint may have been trained with the value as it stands.",
    references=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html",
        "https://keras.io/api/layers/normalization_layers/batch_normalization/",
        "https://flax.readthedocs.io/en/latest/api_reference/flax.linen/layers.html",
    ),
    proof="test_bn401_momentum.py",
    notes="Values between the clear ends (0.3 to 0.8 of the old value, 0.5 to 0.7 of the new) and exact zeros are "
    "information for the pedantic: they are often meant.",
    examples=(
        Example(
            title="PyTorch's number in Keras",
            bad="from keras import layers\n\nnorm = layers.BatchNormalization(momentum=0.1)  # <-\n",
            good="from keras import layers\n\nnorm = layers.BatchNormalization(momentum=0.9)\n",
            fixable=True,
        ),
        Example(
            title="Keras' number in PyTorch",
            bad="from torch import nn\n\nnorm = nn.BatchNorm2d(64, momentum=0.99)  # <-\n",
            good="from torch import nn\n\nnorm = nn.BatchNorm2d(64, momentum=0.01)\n",
            fixable=True,
        ),
    ),
)


class _Verdict(NamedTuple):
    severity: Severity
    persona: Persona
    effect: str
    convert: bool


_LAST = "the running statistics are almost those of the last batch"
_STUCK = "the running statistics never move"


def _judge(weighs: Literal["old", "new", "none"], value: float) -> _Verdict | None:
    if weighs == "none" or value < 0:
        return None
    if value > 1:
        return _Verdict("error", "regular", "the running statistics diverge", convert=False)
    if value == 1 and weighs == "old":
        return _Verdict("error", "regular", _STUCK, convert=False)
    if value in (0.0, 1.0):
        last = (value == 0) == (weighs == "old")
        return _Verdict("info", "pedantic", _LAST.replace("almost ", "") if last else _STUCK, convert=False)
    old = value if weighs == "old" else 1 - value
    if old < 0.3 + 1e-9:
        return _Verdict("error", "regular", _LAST, convert=True)
    limit = 0.8 if weighs == "old" else 0.5 + 1e-9
    return _Verdict("info", "pedantic", "the running statistics are noisy", convert=True) if old < limit else None


def _switched_off(use: NormUse) -> bool:
    return use.constant("track_running_stats") is False or use.constant("trainable") is False


def _meant(file: FileFacts) -> bool:
    return any(says_momentum_is_meant(comment.text) for comment in file.comments)


def _hint(norm: Norm, value: float, *, convert: bool) -> str:
    default = f"{norm.default_momentum:g} is the default"
    return f"; write {round(1 - value, 12):g} for the same meaning ({default})" if convert else f" ({default})"


@rule(META)
def momentum_convention(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Numbers that reach the momentum of a batch norm, judged by the framework's own convention."""
    seen: set[tuple[str, int]] = set()
    for use in sorted(project.norms.uses(file.path), key=lambda use: use.at):
        if use.momentum is None or _switched_off(use):
            continue
        for number in project.constants.numbers(use.momentum.value, use.momentum.scope):
            verdict = _judge(use.norm.weighs, number.value)
            if number.path != file.path and is_test_file(number.path):
                continue  # tests give a library's layers extreme values on purpose
            if verdict is not None and (number.path, number.at) not in seen:
                seen.add((number.path, number.at))
                yield _finding(file, use, number, verdict)


def _finding(file: FileFacts, use: NormUse, number: Number, verdict: _Verdict) -> Finding:
    here = number.path == file.path
    given = number.how == "argument" and not here
    confidence: Confidence = "high" if number.how in ("literal", "name") else "medium"
    meant = verdict.severity == "error" and (_meant(file) or is_test_file(file.path))
    other = Place(number.path, number.at, "the value stands here")
    norm = Place(file.path, use.at, "the batch norm that gets it")
    new = f"{round(1 - number.value, 12):g}"
    fix = Fix(f"Write {new}", "unsafe", (Edit(number.at, "replace", (new,)),)) if here and verdict.convert else None
    return META.finding(
        number.path if given else file.path,
        number.at if here or given else use.at,
        related=(norm,) if here or given else (other,),
        fix=fix,
        confidence=confidence,
        severity="info" if meant else verdict.severity,
        persona="pedantic" if meant else verdict.persona,
        argument=use.norm.momentum,
        value=number.value,
        side=use.norm.weighs,
        framework=use.norm.framework,
        effect=verdict.effect,
        hint=_hint(use.norm, number.value, convert=verdict.convert),
    )
