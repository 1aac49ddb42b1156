"""BN313 trainable-toggled-after-compile: the classic GAN trick, after which Keras 3 never trains the discriminator."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.keras.freezing import Toggle, around
from bnlint.project.link import Project
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, Place, rule, unsafe

_BAD = """\
import keras
from keras import layers, ops

discriminator = keras.Sequential([layers.Dense(8), layers.BatchNormalization(), layers.Dense(1)])
discriminator.compile(loss="mse")
generator = keras.Sequential([layers.Dense(4)])
noise = keras.Input((2,))
discriminator.trainable = False$MARK
combined = keras.Model(noise, discriminator(generator(noise)))
combined.compile(loss="mse")
for step in range(10):
$ON    discriminator.train_on_batch(ops.ones((4, 4)), ops.ones((4, 1)))
$OFF    combined.train_on_batch(ops.ones((4, 2)), ops.ones((4, 1)))
"""

META = Meta(
    code="BN313",
    name="trainable-toggled-after-compile",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("keras",),
    says="{model} is frozen here and never unfrozen: in Keras 3 its train_on_batch changes nothing",
    why="Keras 2 kept the weights that were trainable when compile() ran, so freezing the discriminator for the combined "
    "model left its own training alone. Keras 3 asks at each step: its weights and running statistics never move again.",
    fix_safety="Unsafe: the model learns from here on, and what it is trained against with it.",
    references=("https://github.com/keras-team/keras/issues/8585",),
    proof="test_bn313_trainable_toggled.py",
    notes="An error only where Keras 3 is certain; a note for the pedantic where nothing tells the version.",
    examples=(
        Example(
            bad=_BAD.replace("$MARK", "  # <-").replace("$ON", "").replace("$OFF", ""),
            good=_BAD.replace("$MARK", "")
            .replace("$ON", "    discriminator.trainable = True\n")
            .replace("$OFF", "    discriminator.trainable = False\n"),
            fixable=True,
        ),
    ),
)


@rule(META)
def trainable_toggled_after_compile(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Models frozen for a second model and then trained on their own."""
    generation = project.keras.versions.of(file.path)
    if generation == 2:
        return
    for toggle in project.keras.freezing.toggles_in(file.path):
        yield META.finding(
            file.path,
            toggle.freeze.at,
            related=(Place(file.path, toggle.training[-1].at, "trained here, to no effect"),),
            fix=unsafe("Unfreeze it around its own step", _edits(toggle, file, project))
            or Fix(
                "Unfreeze it around its own step",
                "advice",
                lines=f"{toggle.model}.trainable = True  # before its train_on_batch",
            ),
            severity="error" if generation == 3 else "note",
            persona="regular" if generation == 3 else "pedantic",
            model=toggle.model,
        )


def _edits(toggle: Toggle, file: FileFacts, project: Project) -> tuple[Edit, ...]:
    steps = list(around(toggle, project.names.scopes(file.path).values()))
    return tuple(
        edit
        for node, text in steps
        for edit in (
            Edit(node.at, "insert_before", (f"{text}.trainable = True",)),
            Edit(node.at, "insert_after", (f"{text}.trainable = False",)),
        )
    )
