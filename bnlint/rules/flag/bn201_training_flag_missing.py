"""BN201 training-flag-missing: a TensorFlow 1 batch norm that is trained without ever being told so."""

from collections.abc import Iterator
from itertools import chain

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.tf1.missing import Missing, missing
from bnlint.project.tf1.never import never_on
from bnlint.rules._base import Example, Finding, Fix, Meta, Place, rule

_TAIL = """\
    h = tf.layers.batch_normalization({call})
    loss = tf.losses.mean_squared_error(y, tf.layers.dense(h, 1))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return tf.train.AdamOptimizer().minimize(loss)
"""
_HEAD = "import tensorflow as tf\n\n\ndef build({params}):\n"
_LAYERS = """\
import tensorflow as tf


def conv(x, filters, training=False):
    return tf.layers.batch_normalization(tf.layers.conv2d(x, filters, 3), training=training)
"""
_NET = """\
import tensorflow as tf

from layers import conv


def net(x, training):
    x = conv(x, 8, training=training)
    return conv(x, 16{arg})


def train(x, y, training):
    loss = tf.losses.mean_squared_error(y, net(x, training))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return tf.train.AdamOptimizer().minimize(loss)
"""

META = Meta(
    code="BN201",
    name="training-flag-missing",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("tf1",),
    says="{what} without {flag}=, so the batch norm always runs in {mode} mode{beside}",
    why="tf.layers.batch_normalization is in inference mode unless it is told: it divides by the initial variance, never "
    "normalises and never learns its statistics, and nothing crashes. slim's batch_norm is in training mode unless it is told.",
    fix_safety="Shown, not applied: the flag has to come from somewhere, and the updates have to be run.",
    references=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/layers/batch_normalization",
        "https://timodenk.com/blog/tensorflow-batch-normalization/",
    ),
    proof="test_bn201_training_flag_missing.py",
    notes="Silent for frozen backbones (a program that speaks of pretrained weights), copies for evaluation or sampling, export "
    "programs, and flags that come by arg_scope, functools.partial or a dict.",
    examples=(
        Example(
            title="no flag at all",
            bad=_HEAD.format(params="x, y") + _TAIL.format(call="x").replace("(x)\n", "(x)  # <-\n"),
            good=_HEAD.format(params="x, y, training") + _TAIL.format(call="x, training=training"),
        ),
        Example(
            title="one call of a wrapper forgets it",
            files=(("layers.py", _LAYERS), ("net.py", _NET.format(arg=""))),
            marks=("net.py:8",),
            fixed=(("layers.py", _LAYERS), ("net.py", _NET.format(arg=", training=training"))),
        ),
    ),
)

_LINES = """\
training = tf.placeholder_with_default(False, [], name="training")   # feed True in training
... = {call}(..., {flag}=training)"""


@rule(META)
def training_flag_missing(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Calls that leave the flag of a batch norm to its default in a program that trains it."""
    seen: set[int] = set()
    for found in chain(missing(project.tf1, file.path), never_on(project.tf1, file.path)):
        if found.site.call.at not in seen:
            seen.add(found.site.call.at)
            yield _finding(file, found)


def _finding(file: FileFacts, found: Missing) -> Finding:
    norm = found.use.norm
    direct = found.site.call is found.use.call
    related = [] if direct else [Place(found.use.scope.path, found.use.call.at, "the batch norm")]
    if found.other is not None:
        says = "the flag is given here" if found.evidence == "sibling" else "called here, without the flag"
        related.append(Place(found.other.scope.path, found.other.call.at, says))
    beside = {"sibling": ", unlike the one beside it", "own": ", although a flag is at hand", "program": ""}
    return META.finding(
        file.path,
        found.site.call.at,
        related=related,
        fix=Fix(
            "Give the flag",
            "advice",
            lines=_LINES.format(call="batch_norm" if norm.default else "batch_normalization", flag=norm.flag),
        ),
        confidence="high" if found.sure else "medium",
        what="called" if direct else "this call builds a layer",
        flag=norm.flag,
        mode="training" if found.default else "inference",
        beside=beside[found.evidence],
    )
