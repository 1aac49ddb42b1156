"""BN203 call-takes-no-training: a Keras model whose ``call`` cannot be told the mode."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.project.keras.classes import CallMethod
from bnlint.project.link import Project
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, Place, rule, unsafe

_BAD = """\
import keras
from keras import layers, ops


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.bn = layers.BatchNormalization()

    def call(self, x):  # <-
        return ops.relu(self.bn(x))


net = Net()
net.compile(loss="mse")
net.fit(None)
"""

META = Meta(
    code="BN203",
    name="call-takes-no-training",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("keras",),
    says="{cls}.call takes no training argument: in Keras 3 fit() then runs its {layer} in inference mode",
    why="Keras 3 gives the mode of fit() only to a call that has a training parameter. Without it batch norm never "
    "updates and dropout drops nothing; Keras 2 passed the mode on behind the scenes.",
    fix_safety="Unsafe: in Keras 3 fit() then trains in training mode, so results change; in Keras 2 they do not.",
    references=("https://keras.io/guides/making_new_layers_and_models_via_subclassing/",),
    proof="test_bn203_call_takes_no_training.py",
    notes="An error only where Keras 3 is certain and the model is trained by fit(); a note for the pedantic where "
    "nothing tells the version; silent for Keras 2.",
    examples=(
        Example(
            bad=_BAD,
            good=_BAD.replace("(self, x):  # <-", "(self, x, training=None):").replace(
                "self.bn(x)", "self.bn(x, training=training)"
            ),
            fixable=True,
        ),
    ),
)


@rule(META)
def call_takes_no_training(file: m.FileFacts, project: Project) -> Iterator[Finding]:
    """Models of the file whose ``call`` has no training parameter and that fit() trains."""
    classes = project.keras.classes
    for method in classes.methods_in(file.path):
        if method.training is not None or not classes.is_model(method.cls):
            continue
        fit = classes.fitted(method.cls)
        generation = project.keras.versions.of(file.path)
        if fit is None or generation == 2:
            continue
        assert isinstance(method.cls.node, m.Class)
        layer = method.untold[0]
        yield META.finding(
            file.path,
            method.method.node.at,
            related=(
                Place(file.path, layer.call.at, f"{layer.name} is not told the mode"),
                Place(fit.scope.path, fit.call.at, "trained here"),
            ),
            fix=unsafe("Take the mode and pass it on", _edits(method, project))
            or Fix(
                "Take the mode and pass it on", "advice", lines="def call(self, x, training=None): … training=training"
            ),
            severity="error" if generation == 3 else "note",
            persona="regular" if generation == 3 else "pedantic",
            cls=method.cls.node.name,
            layer=layer.name,
        )


def _edits(method: CallMethod, project: Project) -> tuple[Edit, ...]:
    """The parameter and its way to each layer inside; nothing where a layer may not take it, or the call takes it unseen."""
    assert isinstance(method.method.node, m.Function)
    calls = [inner.call for inner in method.untold]
    if method.takes_any or not all(project.keras.classes.takes_training(call, method.method.scope) for call in calls):
        return ()
    forwarded = [Edit(call.at, "add_keyword", ("training", "training")) for call in calls]
    return (Edit(method.method.node.at, "add_parameter", ("training", "None")), *forwarded)
