"""BN207 flag-inverted: a training flag reaches an evaluation flag unchanged, or a training flag negated."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.facts.walk import dotted
from bnlint.frameworks import jax, keras
from bnlint.project.link import Project
from bnlint.project.scopes import Scope
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, rule

META = Meta(
    code="BN207",
    name="flag-inverted",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("flax", "haiku", "equinox", "keras", "torch"),
    says="{flag}={value} is the wrong way round: {flag} is True in {mode}",
    why="The layer runs in evaluation mode while training (its statistics never move) and in training mode while "
    "evaluating (predictions depend on the rest of the batch).",
    fix_safety="Unsafe: what is trained and what is evaluated change.",
    references=("https://flax.readthedocs.io/en/latest/guides/training_techniques/batch_norm.html",),
    proof="test_bn207_flag_inverted.py",
    examples=(
        Example(
            bad="from flax import linen as nn\n\n\nclass Net(nn.Module):\n    @nn.compact\n"
            "    def __call__(self, x, train):\n"
            "        return nn.BatchNorm(use_running_average=train)(x)  # <-\n",
            good="from flax import linen as nn\n\n\nclass Net(nn.Module):\n    @nn.compact\n"
            "    def __call__(self, x, train):\n"
            "        return nn.BatchNorm(use_running_average=not train)(x)\n",
            fixable=True,
        ),
        Example(
            bad="from tensorflow import keras\n\nbn = keras.layers.BatchNormalization()\n\n\n"
            "def block(x, training):\n    return bn(x, training=not training)  # <-\n",
            good="from tensorflow import keras\n\nbn = keras.layers.BatchNormalization()\n\n\n"
            "def block(x, training):\n    return bn(x, training=training)\n",
            fixable=True,
        ),
    ),
)

_TRAIN = jax.TRAIN_FLAGS
_EVAL = frozenset({"use_running_average", "deterministic", "inference", "use_global_stats"})
_EVAL_WORDS = _EVAL | {"is_eval", "eval_mode", "is_test", "testing", "evaluating", "is_inference"}


@rule(META)
def flag_inverted(file: m.FileFacts, project: Project) -> Iterator[Finding]:
    """Keyword flags of mode-dependent layers and functions whose value says the opposite by its name."""
    for site in project.calls.sites_in(file.path):
        for arg in site.call.args:
            if arg.keyword not in _EVAL and arg.keyword not in _TRAIN:
                continue
            right = _inverted(arg.keyword, arg.value, site.scope)
            if right is not None and _mode_dependent(site.call, arg.keyword, site.scope, project):
                yield META.finding(
                    file.path,
                    arg.value.at,
                    fix=Fix(f"Write {right}", "unsafe", (Edit(arg.value.at, "replace", (right,)),)),
                    flag=arg.keyword,
                    value=_text(arg.value),
                    mode="evaluation" if arg.keyword in _EVAL else "training",
                )


def _inverted(flag: str, value: m.Expr, scope: Scope) -> str | None:
    """What should stand there, if `value` says the opposite of `flag`."""
    inner, negated = (value.args[0], True) if isinstance(value, m.Op) and value.op == "not" else (value, False)
    name = dotted(inner)
    if name is None:
        return None
    word = name.rpartition(".")[2]
    if word not in _TRAIN and word not in _EVAL_WORDS:
        return None
    if word == "train" and not _is_parameter(inner, scope):
        return None  # ``train`` is also the usual name of a function
    opposite = ((flag in _EVAL) != (word in _EVAL_WORDS)) != negated
    return (name if negated else f"not {name}") if opposite else None


def _is_parameter(expr: m.Expr, scope: Scope) -> bool:
    if not isinstance(expr, m.Name):
        return True
    hit = scope.lookup(expr.id)
    return hit is not None and all(binding.kind in ("param", "value", "opaque") for binding in hit[1])


def _mode_dependent(call: m.Call, flag: str, scope: Scope, project: Project) -> bool:
    """Whether the flag is one of a layer with a mode, of a network that holds one, or a batch norm function."""
    if flag in ("use_running_average", "use_global_stats"):
        return True
    func = call.args[0].value if _is_partial(call, scope, project) and call.args else call.func
    name = project.names.qualified(func, scope) or ""
    if name.startswith(("torch.nn.functional.", "torch.")) and name.rpartition(".")[2] in _TORCH:
        return True
    if project.norms.named(func, scope) is not None or keras.mode_layer(name) or jax.mode_layer(name):
        return True
    content = project.contents.of(func, scope)
    return content.sure or (bool(content.held) and not content.known)


def _is_partial(call: m.Call, scope: Scope, project: Project) -> bool:
    return project.names.qualified(call.func, scope) == "functools.partial"


_TORCH = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout", "batch_norm"})


def _text(value: m.Expr) -> str:
    return f"not {dotted(value.args[0])}" if isinstance(value, m.Op) else dotted(value) or "…"
