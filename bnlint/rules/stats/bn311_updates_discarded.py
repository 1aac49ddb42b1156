"""BN311 updates-discarded: a functional framework hands the new running statistics back, and nobody takes them."""

from collections.abc import Iterator

from bnlint.facts import model as m
from bnlint.facts.walk import dotted
from bnlint.project.jax.updates import Update
from bnlint.project.link import Project
from bnlint.project.testfiles import is_test_file
from bnlint.rules._base import Edit, Example, Finding, Fix, Meta, rule

_BAD = """\
import jax
from flax import linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.BatchNorm(use_running_average=not train)(nn.Dense(8)(x))


net = Net()


def train_step(state, x):
    def loss_fn(params):
        variables = {"params": params, "batch_stats": state.batch_stats}
        y, updates = net.apply(variables, x, train=True, mutable=["batch_stats"])$MARK
        return (y**2).mean(), updates

    (loss, updates), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    return state.apply_gradients(grads=grads$STORE)
"""

META = Meta(
    code="BN311",
    name="updates-discarded",
    severity="error",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("flax", "haiku", "equinox"),
    says="{what}",
    why="In Flax linen, Haiku and Equinox a layer cannot change itself: a training call returns the new running "
    "statistics. What is not stored is lost, and evaluation uses the initial ones.",
    fix_safety="Advice only, except that mutable=['batch_stats'] is added (unsafe) where the result is already unpacked.",
    references=(
        "https://flax.readthedocs.io/en/latest/guides/training_techniques/batch_norm.html",
        "https://dm-haiku.readthedocs.io/en/latest/api.html#haiku.transform_with_state",
        "https://docs.kidger.site/equinox/api/nn/normalisation/#equinox.nn.BatchNorm",
    ),
    proof="test_bn311_updates.py",
    examples=(
        Example(
            bad=_BAD.replace("$MARK", "  # <-").replace("$STORE", ""),
            good=_BAD.replace("$MARK", "").replace("$STORE", ', batch_stats=updates["batch_stats"]'),
        ),
    ),
)

_LOST = {
    "linen": "the new batch_stats of this call are read by nobody: the running statistics never move",
    "linen without mutable": "{model}.apply(…) in training mode without mutable=['batch_stats']: batch norm cannot store "
    "its statistics",
    "haiku": "the new state of this call is read by nobody: the running statistics never move",
    "equinox": "the new state of this call is read by nobody: the running statistics never move",
    "nnx": "the model is trained under jax.jit and its state is not returned: all it learns is lost",
}
_ADVICE = {
    "linen": "return the updates as aux and store them: state.apply_gradients(grads=grads, "
    "batch_stats=updates['batch_stats'])",
    "haiku": "return the new state as aux and pass it to the next step",
    "equinox": "return the new state as aux and pass it to the next step",
    "nnx": "use nnx.jit, or return nnx.state(model) and update the model with it",
}


@rule(META)
def updates_discarded(file: m.FileFacts, project: Project) -> Iterator[Finding]:
    """Training calls whose second result goes nowhere."""
    if is_test_file(file.path):
        return
    found = list(project.jax.updates.calls_in(file.path))
    lost = [u for u in found if u.kind != "linen without mutable" and project.jax.flows.lost(u.call, u.scope, (1,))]
    kept = {_receiver(u) for u in found if u not in lost and u.kind != "linen without mutable"}
    for update in found:
        if update.kind == "linen without mutable":
            fix = Fix(
                "Say mutable=['batch_stats']",
                "unsafe",
                (Edit(update.call.at, "add_keyword", ("mutable", "['batch_stats']")),),
            )
            yield META.finding(
                file.path,
                update.call.at,
                fix=fix,
                confidence="high" if update.sure else "medium",
                what=_LOST[update.kind].format(model=_receiver(update) or "model"),
            )
        elif update in lost and _receiver(update) not in kept and project.jax.updates.trains_it(update):
            fix = Fix("Keep the new state", "advice", lines=_ADVICE[update.kind])
            yield META.finding(file.path, update.call.at, fix=fix, what=_LOST[update.kind])
    for call, _ in project.jax.updates.lost_in_jit(file.path):
        yield META.finding(
            file.path, call.at, fix=Fix("Give the state back", "advice", lines=_ADVICE["nnx"]), what=_LOST["nnx"]
        )


def _receiver(update: Update) -> str | None:
    """What is applied; a network that is applied twice and keeps one update (as in GANs) does so on purpose."""
    func = update.call.func
    if isinstance(func, m.Call):
        func = func.args[0].value if func.args else func
        return dotted(func)
    return dotted(func.value) if isinstance(func, m.Attr) else None
