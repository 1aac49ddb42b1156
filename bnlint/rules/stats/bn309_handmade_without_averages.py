"""BN309 handmade-without-averages: a batch norm written by hand that keeps no statistics for evaluation."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.tf1.handmade import handmade
from bnlint.rules._base import Example, Finding, Fix, Meta, Place, rule

_HEAD = """\
import tensorflow as tf


def norm(x, is_training):
    mean, var = tf.nn.moments(x, [0, 1, 2])
"""
_GOOD = (
    _HEAD
    + """\
    ema = tf.train.ExponentialMovingAverage(0.99)

    def update():
        with tf.control_dependencies([ema.apply([mean, var])]):
            return tf.identity(mean), tf.identity(var)

    m, v = tf.cond(is_training, update, lambda: (ema.average(mean), ema.average(var)))
    return tf.nn.batch_normalization(x, m, v, None, None, 1e-3)
"""
)

META = Meta(
    code="BN309",
    name="handmade-without-averages",
    severity="warning",
    confidence="medium",
    persona="regular",
    since="0.1",
    frameworks=("tf1",),
    says="{what}",
    why="tf.nn.moments are the statistics of the batch at hand: without averages kept in training, each prediction depends on the other "
    "samples of its batch.",
    references=(
        "https://github.com/pkmital/tensorflow_tutorials/issues/8",
        "https://github.com/tensorflow/tensorflow/issues/1122",
    ),
    proof="test_bn309_handmade_without_averages.py",
    notes="Silent for moments that leave the batch axis out (instance and layer norm), and for functions without a training flag: "
    "there the statistics of the batch may be meant.",
    examples=(
        Example(
            title="batch statistics always",
            bad=_HEAD + "    return tf.nn.batch_normalization(x, mean, var, None, None, 1e-3)  # <-\n",
            good=_GOOD,
        ),
        Example(
            title="the update of the average is never run",
            bad=_HEAD
            + """\
    ema = tf.train.ExponentialMovingAverage(0.99)
    ema_apply_op = ema.apply([mean, var])  # <-
    m, v = tf.cond(is_training, lambda: (mean, var), lambda: (ema.average(mean), ema.average(var)))
    return tf.nn.batch_normalization(x, m, v, None, None, 1e-3)
""",
            good=_GOOD,
        ),
    ),
)

_SAYS = {
    "none": "this batch norm uses the statistics of the batch in evaluation as well: it knows the flag, but keeps no averages",
    "unused": "nothing depends on this update, so the moving averages of the batch norm stay as they began",
}


@rule(META)
def handmade_without_averages(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Hand-made norms without averages."""
    for found in handmade(project.tf1, file.path):
        related = (Place(found.moments.scope.path, found.moments.call.at, "statistics of the batch"),)
        fix = Fix(
            "Depend on the update", "advice", lines="with tf.control_dependencies([ema.apply([mean, var])]):\n    ..."
        )
        yield META.finding(file.path, found.site.call.at, related=related, fix=fix, what=_SAYS[found.kind])
