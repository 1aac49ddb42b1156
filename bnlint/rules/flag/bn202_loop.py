"""BN202 training-flag-missing-in-loop: a hand-written Keras training step calls its model in inference mode."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.facts.walk import dotted
from bnlint.project.contents import Content
from bnlint.project.link import Project
from bnlint.project.scopes import Scope
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, Place, rule

META = Meta(
    code="BN202",
    name="training-flag-missing-in-loop",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("keras",),
    says="{model}(…) is trained here without training=True, so {effect}",
    why="Only fit() sets Keras' training mode. A model called by hand runs in inference mode: batch norm normalises with "
    "statistics that stay at their initial values for ever, dropout drops nothing.",
    fix_safety="Safe: the call stands where the gradients of that very model are taken.",
    references=(
        "https://www.tensorflow.org/guide/keras/writing_a_training_loop_from_scratch",
        "https://keras.io/guides/writing_a_custom_training_loop_in_jax/",
    ),
    proof="test_bn202_loop.py",
    examples=(
        Example(
            bad="import tensorflow as tf\n\n"
            "model = tf.keras.Sequential([tf.keras.layers.BatchNormalization(), tf.keras.layers.Dense(1)])\n\n\n"
            "def train_step(x, y, optimizer):\n"
            "    with tf.GradientTape() as tape:\n"
            "        loss = tf.reduce_mean((model(x) - y) ** 2)  # <-\n"
            "    gradients = tape.gradient(loss, model.trainable_variables)\n"
            "    optimizer.apply_gradients(zip(gradients, model.trainable_variables))\n",
            good="import tensorflow as tf\n\n"
            "model = tf.keras.Sequential([tf.keras.layers.BatchNormalization(), tf.keras.layers.Dense(1)])\n\n\n"
            "def train_step(x, y, optimizer):\n"
            "    with tf.GradientTape() as tape:\n"
            "        loss = tf.reduce_mean((model(x, training=True) - y) ** 2)\n"
            "    gradients = tape.gradient(loss, model.trainable_variables)\n"
            "    optimizer.apply_gradients(zip(gradients, model.trainable_variables))\n",
            fixable=True,
        ),
    ),
)

_EFFECTS = {
    "norm": "the running statistics of {name} never move",
    "dropout": "{name} drops nothing",
    "noise": "{name} does nothing",
}


@rule(META)
def training_flag_missing_in_loop(file: m.FileFacts, project: Project) -> Iterator[Finding]:
    """Calls of a trained model that hold a mode-dependent layer and say no mode."""
    seen: set[int] = set()
    for tape in project.keras.tapes.calls_in(file.path):
        if tape.call.at in seen or project.keras.flags.said(tape.call, tape.scope) != "missing":
            continue
        seen.add(tape.call.at)
        way = [Place(scope.path, call.at, "called from here") for call, scope in tape.via]
        related = (Place(tape.home.path, tape.tape.at, "the tape that trains it"), *way)
        content = _content(tape.call.func, tape.scope, project)
        if not content.held and (not tape.whole or _switched(tape.call, file.path, project)):
            continue
        yield from _finding(file, tape.call, content, project, related)
    for loss in project.keras.losses.calls_in(file.path):
        if loss.call.at in seen or project.keras.flags.said(loss.call, loss.scope, skip=loss.skip) != "missing":
            continue
        content = _content(loss.model, loss.scope, project)
        if loss.kind == "backward" and not content.sure:
            continue  # most programs with backward() are PyTorch's own
        seen.add(loss.call.at)
        yield from _finding(file, loss.call, content, project, ())


def _switched(call: m.Call, path: str, project: Project) -> bool:
    """Whether the object has a mode that ``.train()`` sets, as TensorLayer's have: then it takes no flag."""
    name = dotted(call.func)
    return any(
        isinstance(site.call.func, m.Attr)
        and site.call.func.name in ("train", "eval")
        and not site.call.args
        and dotted(site.call.func.value) == name
        for site in project.calls.sites_in(path)
    )


def _content(model: m.Expr, scope: Scope, project: Project) -> Content:
    if isinstance(model, m.Name) and scope.enclosing_class() is not None:
        owner = project.names.class_of(scope)
        instance = project.calls.instance(model, scope)
        if owner is not None and instance == owner:
            return project.keras.of_self(owner)
    return project.contents.of(model, scope)


def _finding(
    file: m.FileFacts, call: m.Call, content: Content, project: Project, related: tuple[Place, ...]
) -> Iterator[Finding]:
    if not content.held and (content.known or (project.keras.makes_models and not project.keras.makes_modes)):
        return
    paired = project.keras.flags.told_elsewhere(call, file.path)
    alone = not content.known and not project.keras.makes_models
    worst = min(content.held, key=lambda h: (not h.sure, h.kind != "norm", h.at), default=None)
    effect = "its batch norm and dropout run in inference mode"
    if worst is not None:
        effect = _EFFECTS[worst.kind].format(name=worst.name)
        related = (*related, Place(worst.path, worst.at, f"the {worst.name} inside"))
    yield META.finding(
        file.path,
        call.at,
        related=related,
        fix=Fix(
            "Say training=True",
            "safe" if content.sure else "unsafe",
            (Edit(call.at, "add_keyword", ("training", "True")),),
        ),
        confidence="high" if content.sure else "medium" if paired or alone else "low",
        model=dotted(call.func) or "the model",
        effect=effect,
    )
