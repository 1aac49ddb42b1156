"""BN204 flag-not-forwarded: a function takes the mode and calls a block that needs it without passing it on."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.project.flags import NotForwarded
from bnlint.project.link import Project
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, Place, rule

_BAD = """\
from flax import linen as nn


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool = False):
        return nn.BatchNorm(use_running_average=not train)(nn.Dense(8)(x))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = Block()(x)  # <-
        return Block()(x, train=train)
"""

META = Meta(
    code="BN204",
    name="flag-not-forwarded",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("flax", "haiku", "keras"),
    says="{flag} is not passed on to {callee}, which {effect}",
    why="The inner block falls back to its default and stays in one mode: its batch norm never learns statistics, or "
    "normalises by the batch in evaluation too.",
    fix_safety="Unsafe: the block changes its mode, which is the point.",
    references=("https://flax.readthedocs.io/en/latest/guides/training_techniques/batch_norm.html",),
    proof="test_bn204_flag_not_forwarded.py",
    notes="Keras passes the mode on by itself almost everywhere, so there it is information for the pedantic; a warning "
    "on the JAX backend, where fit() does not (measured with Keras 3.15).",
    examples=(Example(bad=_BAD, good=_BAD.replace("Block()(x)  # <-", "Block()(x, train=train)"), fixable=True),),
)


@rule(META)
def flag_not_forwarded(file: m.FileFacts, project: Project) -> Iterator[Finding]:
    """Calls of blocks with a mode, from functions that were told it."""
    for found in project.forwarding.missing_in(file.path):
        yield _finding(file, found)
    for method in project.keras.classes.methods_in(file.path):
        if method.training is None:
            continue
        jax_backend = project.keras.versions.backend() == "jax"
        for inner in method.untold:
            yield META.finding(
                file.path,
                inner.call.at,
                fix=Fix(
                    "Pass it on", "unsafe", (Edit(inner.call.at, "add_keyword", ("training", method.training.name)),)
                ),
                severity="warning" if jax_backend else "info",
                persona="regular" if jax_backend else "pedantic",
                flag=method.training.name,
                callee=inner.name,
                effect="Keras itself has to tell the mode",
            )


def _finding(file: m.FileFacts, found: NotForwarded) -> Finding:
    stays = "stays in training mode" if found.default else "stays in evaluation mode"
    words = (found.parameter, found.flag)
    return META.finding(
        file.path,
        found.call.at,
        related=(
            Place(found.callee.path, found.callee.node.at, f"its {found.parameter} is {found.default} by default"),
        ),
        fix=Fix("Pass it on", "unsafe", (Edit(found.call.at, "add_keyword", words),)),
        flag=found.flag,
        callee=found.name,
        effect=stays,
    )
