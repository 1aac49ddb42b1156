"""BN301 update-ops-missing: a TensorFlow 1 program trains batch norms and never runs their updates."""

from collections.abc import Iterator

from bnlint.facts.model import Assign, Attr, Do, FileFacts, Name, Return
from bnlint.project.calls import Site
from bnlint.project.link import Project
from bnlint.project.names import External
from bnlint.project.scopes import Scope
from bnlint.project.testfiles import in_test_folder
from bnlint.project.tf1.program import Program
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, Place, rule, unsafe

_BAD = """\
import tensorflow as tf


def build(x, y, is_training):
    h = tf.layers.batch_normalization(tf.layers.dense(x, 8), training=is_training)
    loss = tf.losses.mean_squared_error(y, tf.layers.dense(h, 1))
    return tf.train.AdamOptimizer().minimize(loss)  # <-
"""
_GOOD = """\
import tensorflow as tf


def build(x, y, is_training):
    h = tf.layers.batch_normalization(tf.layers.dense(x, 8), training=is_training)
    loss = tf.losses.mean_squared_error(y, tf.layers.dense(h, 1))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return tf.train.AdamOptimizer().minimize(loss)
"""
_NETS = """\
import tensorflow.contrib.slim as slim


def net(images, is_training):
    with slim.arg_scope([slim.batch_norm], is_training=is_training{extra}):
        return slim.conv2d(images, 8, 3, normalizer_fn=slim.batch_norm)
"""
_MAIN = """\
import tensorflow as tf

from nets import net


def train(images, labels):
    loss = tf.losses.sparse_softmax_cross_entropy(labels, net(images, is_training=True))
    return tf.train.GradientDescentOptimizer(0.1).minimize(loss)


def evaluate(images):
    return net(images, is_training=False)
"""

META = Meta(
    code="BN301",
    name="update-ops-missing",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("tf1",),
    says="this train op never runs UPDATE_OPS, so the moving mean and variance of {norm} stay at 0 and 1",
    why="tf.layers and slim put the updates of the moving averages into the collection UPDATE_OPS, and minimize() does not run "
    "them. Training looks fine, evaluation in inference mode divides by the initial variance and is garbage.",
    fix_safety="Unsafe, and only where the program has one train op: evaluation results change. Else it is shown, not applied: "
    "which op is run in training is for you to know.",
    references=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/layers/batch_normalization",
        "https://github.com/tensorflow/tensorflow/issues/16455",
    ),
    proof="test_bn301_update_ops_missing.py",
    notes="Silent where updates run in place (updates_collections=None), through tf.group, sess.run, a no_op that depends on them, "
    "create_train_op or optimize_loss, in this or another file of the program, and where no copy is ever in inference mode "
    "(for the auditor then).",
    examples=(
        Example(title="minimize alone", bad=_BAD, good=_GOOD, fixable=True),
        Example(
            title="the batch norm is in another file, configured by an arg_scope",
            files=(("nets.py", _NETS.format(extra="")), ("main.py", _MAIN)),
            marks=("main.py:8",),
            fixed=(("nets.py", _NETS.format(extra=", updates_collections=None")), ("main.py", _MAIN)),
        ),
    ),
)

_LINES = """\
update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
with tf.control_dependencies(update_ops):
    train_op = ...  # the {step}() call"""


@rule(META)
def update_ops_missing(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Train ops of programs in which a batch norm waits for updates that nothing runs."""
    if in_test_folder(file.path):
        return
    for site in project.tf1.train_ops(file.path):
        program = project.tf1.program(file.path)
        if program.is_live(site.scope) and program.waiting and not _covered(site, program, project):
            yield _finding(file, site, program, project)


def _covered(site: Site, program: Program, project: Project) -> bool:
    if program.updates_run_for(site) or program.incomplete:
        return True
    if any(read.fate.verdict in ("constructor", "built") for read in program.reads):
        return True  # tried, in a wrong way: BN302 says which
    # Built here, run elsewhere: whoever runs it may know of the collection.
    return not program.runs and project.tf1.updates_run_somewhere


def _edits(file: FileFacts, site: Site, program: Program, project: Project) -> tuple[Edit, ...]:
    """The one train op of the program under the updates; nothing where there are several, or none of it has a statement."""
    root = site.scope.root()
    alias = next((name for name in root.names if _is_tensorflow(root, name, project)), None)
    wired = any(read.certain for read in program.reads)
    if alias is None or wired or len(program.train_ops) != 1 or not isinstance(site.call.func, Attr):
        return ()
    above = next(
        (node for node in site.scope.own if isinstance(node, Assign | Do | Return) and node.value is site.call), None
    )
    collection = f"{alias}.get_collection({alias}.GraphKeys.UPDATE_OPS)"
    wrap = (f"{alias}.control_dependencies({collection})",)
    return (Edit(above.at, "wrap_in_with", wrap),) if above is not None else ()


def _is_tensorflow(root: Scope, name: str, project: Project) -> bool:
    meaning = project.names.resolve(Name(-1, name), root)
    return isinstance(meaning, External) and meaning.name in ("tensorflow", "tensorflow.compat.v1")


def _finding(file: FileFacts, site: Site, program: Program, project: Project) -> Finding:
    use, flag = next(((use, flag) for use, flag in program.waiting if flag.can_infer), program.waiting[0])
    related = [Place(use.scope.path, use.call.at, "its updates go to tf.GraphKeys.UPDATE_OPS")]
    related.extend(
        Place(read.site.scope.path, read.site.call.at, "UPDATE_OPS is read here, to no effect")
        for read in program.reads[:2]
    )
    step = site.call.func.name if isinstance(site.call.func, Attr) else "minimize"
    sure = program.infers
    return META.finding(
        file.path,
        site.call.at,
        related=related,
        fix=unsafe("Run the updates with the train op", _edits(file, site, program, project))
        or Fix("Run the updates with the train op", "advice", lines=_LINES.format(step=step)),
        severity="error" if sure else "info",
        confidence=("high" if program.runs or flag.false else "medium") if sure else "low",
        persona="regular" if sure else "auditor",
        norm="this batch norm" if use.scope.path == file.path else f"the batch norm in {use.scope.path}",
    )
