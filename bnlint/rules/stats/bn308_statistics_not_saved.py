"""BN308 statistics-not-saved: a checkpoint of the trainable variables leaves the moving statistics out."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.tf1.savers import partial_savers
from bnlint.rules._base import Example, Finding, Fix, Meta, rule

_PROGRAM = """\
import tensorflow as tf

x = tf.placeholder(tf.float32, [None, 4])
y = tf.placeholder(tf.float32, [None, 1])
training = tf.placeholder(tf.bool, [])
h = tf.layers.batch_normalization(tf.layers.dense(x, 8), training=training)
loss = tf.losses.mean_squared_error(y, tf.layers.dense(h, 1))
with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
    step = tf.train.AdamOptimizer().minimize(loss)
saver = tf.train.Saver({variables}){mark}


def train(sess, batches):
    for xs, ys in batches:
        sess.run(step, {{x: xs, y: ys, training: True}})
    saver.save(sess, "model.ckpt")
"""

META = Meta(
    code="BN308",
    name="statistics-not-saved",
    severity="error",
    confidence="medium",
    persona="regular",
    since="0.1",
    frameworks=("tf1", "torch"),
    says="this Saver holds trainable variables only: the moving mean and variance of the batch norms are not in the checkpoint",
    why="Moving statistics are not trainable. After a restore they are the initial ones, and evaluation is garbage although the "
    "training curve was good.",
    fix_safety="Shown, not applied: checkpoints get larger and their names change.",
    references=("https://github.com/tensorflow/skflow/issues/117", "https://github.com/tinghuiz/SfMLearner/issues/17"),
    proof="test_bn308_statistics_not_saved.py",
    notes="Silent if any other Saver of the program holds more, and for programs that speak of pretrained weights.",
    examples=(
        Example(
            bad=_PROGRAM.format(variables="tf.trainable_variables()", mark="  # <-"),
            good=_PROGRAM.format(variables="tf.global_variables()", mark=""),
        ),
    ),
)

_TORCH = "parameters() holds no running mean and variance: the checkpoint leaves the statistics of the batch norms out"


@rule(META)
def statistics_not_saved(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Savers of trainable variables in programs whose norms learn statistics and use them."""
    if "Saver" in project.tf1.scan(file.path).calls:
        for site in partial_savers(project.tf1, file.path):
            fix = Fix("Save all variables", "advice", lines="saver = tf.train.Saver(tf.global_variables())")
            yield META.finding(file.path, site.call.at, fix=fix)
    for call in project.torch.copying.saved_without_buffers(file):
        if project.torch.structure.program_holds(file.path):
            fix = Fix("Save the state dictionary", "advice", lines="torch.save(model.state_dict(), path)")
            yield META.finding(file.path, call.at, fix=fix)._replace(says=_TORCH)
