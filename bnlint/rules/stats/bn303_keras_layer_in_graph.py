"""BN303 keras-layer-in-graph: a Keras batch norm in a TensorFlow 1 program that trains by its own minimize()."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.tf1.keras_graph import keras_norms
from bnlint.rules._base import Example, Finding, Fix, Meta, rule

_PROGRAM = """\
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
x = tf.placeholder(tf.float32, [None, 4])
y = tf.placeholder(tf.float32, [None, 1])
training = tf.placeholder_with_default(False, [])
norm = tf.keras.layers.BatchNormalization()
h = norm(tf.layers.dense(x, 8), training=training){mark}
loss = tf.losses.mean_squared_error(y, tf.layers.dense(h, 1))
step = tf.train.AdamOptimizer().minimize(loss)


def train(batches):
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for xs, ys in batches:
            sess.run({fetch}, {{x: xs, y: ys, training: True}})
"""

META = Meta(
    code="BN303",
    name="keras-layer-in-graph",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("tf1", "keras"),
    says="{what} in a session program: its updates are in no collection and nothing runs {owner}.updates",
    why="In a TensorFlow 1 graph a Keras layer keeps its updates in layer.updates, not in UPDATE_OPS, and without training= it is in "
    "inference mode: the moving statistics stay at 0 and 1 for ever.",
    references=(
        "https://github.com/tensorflow/tensorflow/issues/19643",
        "https://github.com/tensorflow/tensorflow/issues/25525",
    ),
    proof="test_bn303_keras_layer_in_graph.py",
    notes="Silent where compile() and fit() train, or where any updates attribute is read.",
    examples=(
        Example(
            bad=_PROGRAM.format(mark="  # <-", fetch="step"),
            good=_PROGRAM.format(mark="", fetch="[step, norm.updates]"),
        ),
    ),
)

_LINES = "sess.run([train_op, {owner}.updates], ...)   # and training=True in the call while training"


@rule(META)
def keras_layer_in_graph(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Keras norms of graph programs whose updates nothing runs."""
    for found in keras_norms(project.tf1, file.path):
        owner = "model" if found.network else "layer"
        yield META.finding(
            file.path,
            found.site.call.at,
            fix=Fix("Run its updates", "advice", lines=_LINES.format(owner=owner)),
            confidence="medium" if found.network else "high",
            what=f"keras.applications.{found.network} (it holds batch norms)"
            if found.network
            else "a Keras batch norm",
            owner=owner,
        )
