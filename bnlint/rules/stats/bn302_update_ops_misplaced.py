"""BN302 update-ops-misplaced: UPDATE_OPS is read, but nothing that is run depends on it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.link import Project
from bnlint.project.tf1.early import collected_too_early
from bnlint.project.tf1.program import Program
from bnlint.project.tf1.updates import Read
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, Place, rule

_HEAD = """\
import tensorflow as tf


def build(x, y, is_training):
"""
_NET = """\
    h = tf.layers.batch_normalization(tf.layers.dense(x, 8), training=is_training)
    loss = tf.losses.mean_squared_error(y, tf.layers.dense(h, 1))
"""
_READ = "    update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS){mark}\n"
_GOOD = (
    _HEAD
    + _NET
    + _READ.format(mark="")
    + """\
    with tf.control_dependencies(update_ops):
        optimizer = tf.train.AdamOptimizer()
        return optimizer.minimize(loss)
"""
)

META = Meta(
    code="BN302",
    name="update-ops-misplaced",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("tf1",),
    says="{what}, so the moving mean and variance are never updated",
    why="control_dependencies binds only ops that are built inside its block: an optimizer object is no op, and an op that was built "
    "before is not changed. A list of updates must be collected after the layers and be run by what is run in training.",
    fix_safety="Safe where the statement below the block, at its own level, builds the train op: it gets the same dependencies. "
    "Else shown, not applied.",
    references=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/control_dependencies",
        "https://github.com/tensorflow/tensorflow/issues/7577",
    ),
    proof="test_bn302_update_ops_misplaced.py",
    notes="Collecting the updates of one tower only is a documented choice and not reported.",
    examples=(
        Example(
            title="only the constructor is inside",
            bad=_HEAD
            + _NET
            + _READ.format(mark="")
            + """\
    with tf.control_dependencies(update_ops):  # <-
        optimizer = tf.train.AdamOptimizer()
    return optimizer.minimize(loss)
""",
            good=_HEAD
            + _NET
            + _READ.format(mark="")
            + """\
    with tf.control_dependencies(update_ops):
        optimizer = tf.train.AdamOptimizer()
    with tf.control_dependencies(update_ops):
        return optimizer.minimize(loss)
""",
            fixable=True,
        ),
        Example(
            title="collected before the layers exist",
            bad=_HEAD
            + _READ.format(mark="  # <-")
            + _NET
            + """\
    with tf.control_dependencies(update_ops):
        return tf.train.AdamOptimizer().minimize(loss)
""",
            good=_GOOD,
        ),
    ),
)

_SAYS = {
    "constructor": "only an optimizer object is made inside this block and its train op outside",
    "built": "nothing is built inside this block, and an op that exists already does not wait for it",
    "unused": "UPDATE_OPS is collected here and never run",
    "early": "UPDATE_OPS is collected here before the first batch norm is built",
}
_LINES = """\
update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)   # after the layers
with tf.control_dependencies(update_ops):
    train_op = optimizer.minimize(loss)"""


@rule(META)
def update_ops_misplaced(file: m.FileFacts, project: Project) -> Iterator[Finding]:
    """Reads of UPDATE_OPS that lead nowhere, in programs where a batch norm waits for them."""
    view = project.tf1
    for read in view.reads(file.path):
        program = view.program(file.path)
        if not read.certain or not program.is_live(read.site.scope) or not program.train_ops or program.incomplete:
            continue
        if read.fate.verdict == "used":
            first = collected_too_early(view, read) if program.waiting and len(program.reads) == 1 else None
            if first is not None:
                related = (Place(first.scope.path, first.call.at, "the first batch norm is built here"),)
                yield _finding(file, read.site.call.at, "early", program, related)
        elif _matters(read, program):
            at = read.site.call.at if read.fate.verdict == "unused" else read.fate.at
            move = _move(file, at) if read.fate.verdict == "constructor" else None
            yield _finding(file, at, read.fate.verdict, program, _steps(program), move)


def _matters(read: Read, program: Program) -> bool:
    if program.updates_run:
        others = [other for other in program.reads if other.fate.verdict == "used"]
        return (
            read.scoped and bool(others) and bool(program.waiting) and all(one.scoped and one.certain for one in others)
        )
    # An optimizer made in the block is wrong whatever the updates are for.
    return bool(program.waiting) or (read.fate.verdict == "constructor" and not program.norms)


def _move(file: m.FileFacts, at: int) -> Fix | None:
    """The train op that the statement below the block builds, under the dependencies of the block."""
    for block in (file.body, *(block for node in walk(file.body) for block in _blocks(node))):
        for above, below in pairwise(block):
            if above.at == at and isinstance(above, m.With) and len(above.items) == 1 and _is_step(below):
                wrap = Edit(below.at, "wrap_in_with", (f"@{above.items[0].context.at}",))
                return Fix("Let the train op wait for the updates as well", "safe", (wrap,))
    return None


def _blocks(node: m.Node) -> tuple[m.Block, ...]:
    if isinstance(node, m.Function | m.Class | m.With):
        return (node.body,)
    return (node.body, node.orelse) if isinstance(node, m.If | m.For | m.While | m.Try) else ()


def _is_step(statement: m.Stmt) -> bool:
    value = statement.value if isinstance(statement, m.Assign | m.Return | m.Do) else None
    return (
        isinstance(value, m.Call)
        and isinstance(value.func, m.Attr)
        and value.func.name in ("minimize", "apply_gradients")
    )


def _steps(program: Program) -> tuple[Place, ...]:
    return tuple(Place(step.scope.path, step.call.at, "the train op is built here") for step in program.train_ops[:2])


def _finding(
    file: m.FileFacts,
    at: int,
    kind: Literal["constructor", "built", "unused", "early", "used"],
    program: Program,
    related: tuple[Place, ...],
    move: Fix | None = None,
) -> Finding:
    sure = program.infers or not program.waiting
    return META.finding(
        file.path,
        at,
        related=related,
        fix=move or Fix("Build the train op inside the block", "advice", lines=_LINES),
        severity="error" if sure else "info",
        confidence="high" if program.infers else "medium" if sure else "low",
        persona="regular" if sure else "auditor",
        what=_SAYS[kind],
    )
