"""BN112 mode-never-set: an nnx or equinox program evaluates a model that nobody ever puts into evaluation mode."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.project.link import Project
from bnlint.rules._base import Example, Finding, Fix, Meta, rule

_BAD = """\
from flax import nnx


class Net(nnx.Module):
    def __init__(self, rngs):
        self.linear = nnx.Linear(4, 4, rngs=rngs)
        self.bn = nnx.BatchNorm(4, rngs=rngs)

    def __call__(self, x):
        return self.bn(self.linear(x))


def loss_fn(model, x, y):
    return ((model(x) - y) ** 2).mean()


@nnx.jit
def train_step(model, optimizer, x, y):
    optimizer.update(model, nnx.grad(loss_fn)(model, x, y))


@nnx.jit
def eval_step(model, x):
    return model(x)$MARK


def main(model, optimizer, train, test):
    for x, y in train:
        train_step(model, optimizer, x, y)
$EVAL    return [eval_step(model, x) for x in test]
"""

META = Meta(
    code="BN112",
    name="mode-never-set",
    severity="warning",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=("flax", "equinox"),
    says="{layer} is evaluated here in training mode: nothing on the way here calls {switch}",
    why="An nnx or equinox model trains until it is told otherwise. Evaluated so, batch norm normalises by the batch and "
    "moves its statistics, and dropout drops.",
    references=(
        "https://flax.readthedocs.io/en/latest/mnist_tutorial.html",
        "https://docs.kidger.site/equinox/api/nn/inference/",
    ),
    proof="test_bn112_mode_never_set.py",
    examples=(
        Example(
            bad=_BAD.replace("$MARK", "  # <-").replace("$EVAL", ""),
            good=_BAD.replace("$MARK", "").replace("$EVAL", "    model.eval()\n"),
        ),
    ),
)

_SWITCH = {"nnx": "model.eval()", "equinox": "eqx.nn.inference_mode"}


@rule(META)
def mode_never_set(file: FileFacts, project: Project) -> Iterator[Finding]:
    """Evaluation functions that call a model of a project without any switch."""
    seen: set[int] = set()
    for found in (*project.jax.modes.unswitched_in(file.path), *project.jax.modes.left_in(file.path)):
        if found.call.at in seen:
            continue
        seen.add(found.call.at)
        switch = _SWITCH[found.framework]
        fix = Fix("Switch before evaluating, and back before training", "advice", lines=switch)
        yield META.finding(file.path, found.call.at, fix=fix, layer=found.layer, switch=switch)
