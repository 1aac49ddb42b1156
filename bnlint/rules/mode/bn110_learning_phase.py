"""BN110 learning-phase-constant: Keras' global learning phase is nailed to the wrong mode."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.project.calls import Site
from bnlint.project.link import Project
from bnlint.rules._base import Example, Finding, Fix, Meta, rule

META = Meta(
    code="BN110",
    name="learning-phase-constant",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("keras",),
    says="{what}",
    why="The learning phase is global: layers that are not told a mode take it. Set to 1, predictions depend on the rest "
    "of the batch; set to 0 before training, batch norm never learns its statistics. Keras 3 has removed it.",
    references=(
        "https://github.com/keras-team/keras/issues/7177",
        "https://github.com/tensorflow/tensorflow/issues/31331",
    ),
    proof="test_bn110_learning_phase.py",
    examples=(
        Example(
            bad="from keras import backend as K\nfrom keras.models import load_model\n\nK.set_learning_phase(1)  # <-\n"
            'model = load_model("model.h5")\n\n\ndef classify(image):\n    return model(image)\n',
            good="from keras import backend as K\nfrom keras.models import load_model\n\nK.set_learning_phase(0)\n"
            'model = load_model("model.h5")\n\n\ndef classify(image):\n    return model(image)\n',
        ),
    ),
)

_TRAIN = frozenset({"fit", "fit_generator", "train_on_batch", "minimize", "apply_gradients", "gradient"})
_INFER = frozenset(
    {"load_model", "load_weights", "predict", "predict_generator", "predict_on_batch", "model_from_json"}
)
_SET = ("backend.set_learning_phase", "backend.common.set_learning_phase")


@rule(META)
def learning_phase_constant(file: m.FileFacts, project: Project) -> Iterator[Finding]:
    """``set_learning_phase`` with a constant that contradicts what the rest of the file does."""
    sites = list(project.calls.sites_in(file.path))
    phases = [(site, phase) for site in sites if (phase := _phase(site, project)) is not None]
    if not phases:
        return
    called = {name for site in sites if (name := _name(site.call)) is not None}
    for site, phase in phases:
        what = None
        if phase and called & _INFER and not called & _TRAIN:
            what = "the learning phase is set to training in a program that only predicts"
        elif not phase and called & _TRAIN - {"gradient"} and _frozen_training(site, phases, project):
            what = "the learning phase is set to inference in a program that trains: batch norm never learns its statistics"
        if what is not None:
            fix = Fix("Leave the phase alone", "advice", lines="model(x, training=False) / model.fit(…)")
            yield META.finding(file.path, site.call.at, fix=fix, what=what)


def _frozen_training(site: Site, phases: list[tuple[Site, bool]], project: Project) -> bool:
    """Only multi-backend Keras and graphs take the phase in fit(); a later change of the phase undoes it."""
    if any(phase for _, phase in phases):
        return False
    name = project.names.qualified(site.call.func, site.scope) or ""
    if not name.startswith("keras."):
        return False
    return any(use.norm.like == "keras" for use in project.norms.uses(site.scope.path))


def _phase(site: Site, project: Project) -> bool | None:
    name = project.names.qualified(site.call.func, site.scope)
    if name is None or not name.endswith(_SET) or len(site.call.args) != 1:
        return None
    value = site.call.args[0].value
    return bool(value.value) if isinstance(value, m.Const) and value.value in (0, 1, True, False) else None


def _name(call: m.Call) -> str | None:
    return call.func.name if isinstance(call.func, m.Attr) else call.func.id if isinstance(call.func, m.Name) else None
