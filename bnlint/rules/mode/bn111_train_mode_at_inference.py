"""BN111 train-mode-at-inference: a TensorFlow 1 program predicts with batch norms in training mode."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.tf1.inference import TrainMode, train_mode
from bnlint.project.tf1.missing import missing
from bnlint.rules._base import Example, Finding, Fix, Meta, Place, rule

_LAYERS = """\
import tensorflow as tf


def block(x{param}):
    return tf.contrib.layers.batch_norm(tf.layers.dense(x, 8){arg}, updates_collections=None)
"""
_MAIN = """\
import tensorflow as tf

from layers import block

training = tf.placeholder_with_default(False, [], name="training")
x = tf.placeholder(tf.float32, [None, 4])
y = tf.placeholder(tf.float32, [None, 1])
out = tf.layers.dense(tf.layers.dropout(block(x{arg}), training=training), 1)
step = tf.train.AdamOptimizer().minimize(tf.losses.mean_squared_error(y, out))


def train(sess, xs, ys):
    sess.run(step, {{x: xs, y: ys, training: True}})
"""
_INFER = (
    "import tf_slim as slim\n\n\ndef infer(x{param}):\n    return slim.batch_norm(slim.conv2d(x, 8, 3){arg}){mark}\n"
)

META = Meta(
    code="BN111",
    name="train-mode-at-inference",
    severity="warning",
    confidence="medium",
    persona="regular",
    since="0.1",
    frameworks=("tf1",),
    says="{what}, so each prediction depends on the other samples of its batch",
    why="slim's batch_norm is in training mode unless it is told: at inference it normalises with the batch at hand, a batch of one "
    "loses everything, and norms that update in place drift.",
    fix_safety="Shown, not applied: the flag has to come from somewhere.",
    references=("https://github.com/google-research/tf-slim/blob/master/tf_slim/layers/layers.py",),
    proof="test_bn111_train_mode_at_inference.py",
    notes="GANs, style transfer and meta-learning use the statistics of the batch on purpose: without a restored checkpoint or a flag "
    "that the norm ignores, this is for the auditor only.",
    examples=(
        Example(
            title="the program has a flag, the norm does not get it",
            files=(("layers.py", _LAYERS.format(param="", arg="")), ("main.py", _MAIN.format(arg=""))),
            marks=("layers.py:5",),
            fixed=(
                ("layers.py", _LAYERS.format(param=", training", arg=", is_training=training")),
                ("main.py", _MAIN.format(arg=", training")),
            ),
        ),
        Example(
            title="a function for inference",
            bad=_INFER.format(param="", arg="", mark="  # <-"),
            good=_INFER.format(param="", arg=", is_training=False", mark=""),
        ),
    ),
)

_SAYS = {
    "ignored": "this batch norm does not get the training flag that the program feeds",
    "inference": "this batch norm is built in training mode for inference",
    "restored": "a restored model is built in training mode here",
    "always": "this batch norm has no flag and is in training mode always",
}


@rule(META)
def train_mode_at_inference(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Norms in training mode where the program infers."""
    told = {one.site.call.at for one in missing(project.tf1, file.path)}  # BN201 says it already
    for found in train_mode(project.tf1, file.path):
        if found.site.call.at not in told:
            yield _finding(file, found)


def _finding(file: FileFacts, found: TrainMode) -> Finding:
    related = []
    if found.flag is not None:
        related.append(Place(found.flag.scope.path, found.flag.call.at, "the flag"))
    if found.site.call is not found.use.call:
        related.append(Place(found.use.scope.path, found.use.call.at, "the batch norm"))
    sure = found.why != "always"
    return META.finding(
        file.path,
        found.site.call.at,
        related=related,
        fix=Fix(
            "Give the flag",
            "advice",
            lines=f"...(..., {found.use.norm.flag}=training)   # False where the model is only used",
        ),
        severity="warning" if sure else "info",
        confidence="medium" if sure else "low",
        persona="regular" if sure else "auditor",
        what=_SAYS[found.why],
    )
