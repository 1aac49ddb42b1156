"""BN208 flag-in-wrong-slot: a training flag given by position lands in axis, decay or momentum."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.tf1.slots import Misplaced, misplaced
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, rule

_NET = """\
import tensorflow.compat.v1 as tf


def block(x, training):
    return tf.nn.relu(tf.layers.batch_normalization(x, {arg})){mark}
"""

META = Meta(
    code="BN208",
    name="flag-in-wrong-slot",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("tf1", "keras", "flax"),
    says="this flag is given by position and fills {slot}, not {flag}{then}",
    why="The second parameter of tf.layers.batch_normalization is axis, and that of slim's batch_norm is decay. True counts as 1 "
    "there, so the norm runs over the wrong axis or never updates, and the mode stays at its default.",
    fix_safety="Safe: the value goes to the parameter it was written for. The updates have to be run as well (BN301).",
    references=("https://www.tensorflow.org/api_docs/python/tf/compat/v1/layers/batch_normalization",),
    proof="test_bn208_flag_in_wrong_slot.py",
    notes="For a Keras layer the flag belongs to the call of the layer, not to its constructor; there the fix is advice.",
    examples=(
        Example(
            title="the flag fills axis",
            bad=_NET.format(arg="training", mark="  # <-"),
            good=_NET.format(arg="training=training", mark=""),
            fixable=True,
        ),
    ),
)


@rule(META)
def flag_in_wrong_slot(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Positional flags of batch norms."""
    for found in misplaced(project.tf1, file.path):
        layer = len(found.call.args) > 0 and found.number == 0
        yield META.finding(
            file.path,
            found.call.at,
            fix=_fix(found),
            slot=found.slot,
            flag=found.flag,
            then="; give it to the call of the layer" if layer else "",
        )


def _fix(found: Misplaced) -> Fix:
    if found.last and found.number > 0:
        return Fix(
            f"Name it {found.flag}=", "safe", (Edit(found.call.at, "name_argument", (str(found.number), found.flag)),)
        )
    return Fix("Give the flag by keyword", "advice", lines=f"...(..., {found.flag}=...)")
