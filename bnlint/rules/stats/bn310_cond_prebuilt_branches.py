"""BN310 cond-prebuilt-branches: tf.cond chooses between batch norms that have both been built, and run, before."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.project.tf1.conds import moved_into_branches, prebuilt
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, Place, rule

_HEAD = """\
from tensorflow.contrib.layers import batch_norm
import tensorflow as tf


def norm(x, training):
"""

META = Meta(
    code="BN310",
    name="cond-prebuilt-branches",
    severity="warning",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("tf1",),
    says="this cond only chooses between tensors built before it, so the moving averages are updated in evaluation as well",
    why="Ops made outside the lambdas run whenever the cond runs, whichever branch is taken: a norm that updates in place moves its "
    "averages on evaluation data.",
    fix_safety="Safe where every prebuilt branch is a call whose result only its lambda reads, and nothing it reads changes in "
    "between: the calls move into the lambdas. Else shown, not applied.",
    references=("https://www.tensorflow.org/api_docs/python/tf/compat/v1/cond",),
    proof="test_bn310_cond_prebuilt_branches.py",
    notes="Silent for norms whose updates go to a collection: these run only where the collection is run.",
    examples=(
        Example(
            bad=_HEAD
            + """\
    train = batch_norm(x, updates_collections=None, is_training=True, scope="bn")
    test = batch_norm(x, updates_collections=None, is_training=False, reuse=True, scope="bn")
    return tf.cond(training, lambda: train, lambda: test)  # <-
""",
            good=_HEAD
            + """\
    return tf.cond(training, lambda: batch_norm(x, updates_collections=None, is_training=True, scope="bn"), lambda: batch_norm(x, updates_collections=None, is_training=False, reuse=True, scope="bn"))
""",
            fixable=True,
        ),
    ),
)

_LINES = """\
tf.cond(training,
        lambda: batch_norm(x, is_training=True, updates_collections=None, ...),
        lambda: batch_norm(x, is_training=False, reuse=True, ...))
# or, simpler: batch_norm(x, is_training=training, ...) takes the placeholder itself"""


@rule(META)
def cond_prebuilt_branches(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Conds over norms that exist already and update in place."""
    for found in prebuilt(project.tf1, file.path):
        related = [Place(found.made.scope.path, found.made.expr.at, "built here, outside the branch")]
        if found.use.call is not found.made.expr:
            related.append(Place(found.use.scope.path, found.use.call.at, "this norm updates in place"))
        moves = tuple(
            edit
            for move in moved_into_branches(project.tf1, found.site)
            for edit in (
                Edit(move.branch.body.at, "replace", (f"@{move.value.at}",)),
                Edit(move.statement.at, "remove"),
            )
        )
        fix = Fix("Build inside the branches", "safe" if moves else "advice", moves, lines="" if moves else _LINES)
        yield META.finding(file.path, found.site.call.at, related=related, fix=fix)
