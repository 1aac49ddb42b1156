"""BN308 statistics-not-saved: a checkpoint of the trainable variables leaves the moving statistics out."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.tf1.savers import partial_savers
from bnlint.project.torch.copying import parameters_of
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, rule, unsafe

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
    fix_safety="Unsafe: checkpoints get larger, old ones do not fit, and what loads them has to expect a state dictionary.",
    references=("https://github.com/tensorflow/skflow/issues/117", "https://github.com/tinghuiz/SfMLearner/issues/17"),
    proof="test_bn308_statistics_not_saved.py",
    notes="Silent if any other Saver of the program holds more, and for programs that speak of pretrained weights.",
    examples=(
        Example(
            bad=_PROGRAM.format(variables="tf.trainable_variables()", mark="  # <-"),
            good=_PROGRAM.format(variables="tf.global_variables()", mark=""),
            fixable=True,
        ),
    ),
)

_TORCH = "parameters() holds no running mean and variance: the checkpoint leaves the statistics of the batch norms out"

_TORCH_ADVICE = Fix("Save the state dictionary", "advice", lines="torch.save(model.state_dict(), path)")
_TF1_ADVICE = Fix("Save all variables", "advice", lines="saver = tf.train.Saver(tf.global_variables())")


def _all_variables(call: m.Call) -> tuple[Edit, ...]:
    """``Saver(tf.trainable_variables())`` → ``Saver(tf.global_variables())``, where that is what is written."""
    given = call.args[0].value if call.args and call.args[0].keyword in {None, "var_list"} else None
    if isinstance(given, m.Call) and isinstance(given.func, m.Attr) and given.func.name == "trainable_variables":
        return (Edit(given.func.at, "rename_attribute", ("global_variables",)),) if not given.args else ()
    return ()


@rule(META)
def statistics_not_saved(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Savers of trainable variables in programs whose norms learn statistics and use them."""
    if "Saver" in project.tf1.scan(file.path).calls:
        for site in partial_savers(project.tf1, file.path):
            fix = unsafe("Save all variables", _all_variables(site.call)) or _TF1_ADVICE
            yield META.finding(file.path, site.call.at, fix=fix)
    for call in project.torch.copying.saved_without_buffers(file):
        if project.torch.structure.program_holds(file.path):
            network = parameters_of(call.args[0].value)
            edits = (Edit(call.at, "set_argument", ("0", f"{network}.state_dict()")),) if network else ()
            fix = unsafe("Save the state dictionary", edits) or _TORCH_ADVICE
            yield META.finding(file.path, call.at, fix=fix)._replace(says=_TORCH)
