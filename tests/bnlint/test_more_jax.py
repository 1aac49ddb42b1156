"""JAX: where the new statistics of a training step go, and which functions are differentiated."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

DEFAULT = Config(jobs=-1)
NET = """\
import functools
import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(8)(x))
        return nn.Dense(1)(x)


model = Net()
tx = optax.adam(1e-3)


def error(y, out):
    return jnp.mean((out - y) ** 2)

"""


def reported(text):
    """Codes of what is found."""
    return [code for _, _, code in found_in({"train.py": NET + text}, RULES, DEFAULT)]


LOSS = """
def train_step(params, stats, opt_state, x, y):
    def loss_fn(params):
        {forward}
        return {returned}

    {gradient}
    updates, opt_state = tx.update(grads, opt_state)
    params = optax.apply_updates(params, updates)
    return {result}
"""
APPLY = "model.apply({'params': params, 'batch_stats': stats}, x, train=True, mutable=['batch_stats'])"
VAG = "(loss, new), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)"
PAIR = f"out, new = {APPLY}"
KEPT = [
    (PAIR, "error(y, out), new", VAG, "params, new['batch_stats'], opt_state"),
    (
        PAIR,
        "error(y, out), (out, new)",
        "(loss, (out, new)), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)",
        "params, new, opt_state",
    ),
    (
        PAIR,
        "error(y, out), new",
        "grad_fn = jax.value_and_grad(loss_fn, has_aux=True)\n    (loss, new), grads = grad_fn(params)",
        "params, new",
    ),
    (PAIR, "error(y, out), new", "grads, new = jax.grad(loss_fn, has_aux=True)(params)", "params, new, opt_state"),
    (f"both = {APPLY}", "error(y, both[0]), both[1]", VAG, "params, new, opt_state"),
    (f"both = {APPLY}\n        out, new = both", "error(y, out), new", VAG, "params, new, opt_state"),
    (f"out, *new = {APPLY}", "error(y, out), new", VAG, "params, new, opt_state"),
    (f"out = {APPLY}", "error(y, out[0]), out", VAG, "params, new, opt_state"),
    (
        PAIR,
        "error(y, out), new",
        "aux, grads = jax.value_and_grad(loss_fn, has_aux=True)(params)",
        "params, aux[1][1], opt_state",
    ),
    (
        PAIR,
        "error(y, out), new",
        "aux, grads = jax.value_and_grad(loss_fn, has_aux=True)(params)\n    stats = aux[1]",
        "params, stats",
    ),
    (PAIR, "error(y, out), {'stats': new}", VAG, "params, new, opt_state"),
    (f"global kept\n        out, kept = {APPLY}", "error(y, out), 0", VAG, "params, opt_state"),
    (PAIR + "\n        def keep():\n            return new", "error(y, out), keep()", VAG, "params, new, opt_state"),
    (PAIR + "\n        store(new)", "error(y, out), 0", VAG, "params, opt_state"),
]
DROPPED = [
    (f"out, _ = {APPLY}", "error(y, out)", "loss, grads = jax.value_and_grad(loss_fn)(params)", "params, opt_state"),
    (PAIR, "error(y, out)", "loss, grads = jax.value_and_grad(loss_fn)(params)", "params, stats, opt_state"),
    (PAIR, "error(y, out)", "grads = jax.grad(loss_fn)(params)", "params, stats, opt_state"),
    (f"out = {APPLY}[0]", "error(y, out)", "grads = jax.grad(loss_fn)(params)", "params, stats, opt_state"),
    (
        f"both = {APPLY}\n        out = both[0]",
        "error(y, out)",
        "grads = jax.grad(loss_fn)(params)",
        "params, stats, opt_state",
    ),
    (PAIR, "error(y, out), new", VAG, "params, stats, opt_state"),
    (PAIR, "error(y, out), new", VAG.replace("(loss, new)", "(loss, _)"), "params, stats, opt_state"),
    (PAIR, "error(y, out), new", "grads, _ = jax.grad(loss_fn, has_aux=True)(params)", "params, stats, opt_state"),
    (
        PAIR,
        "error(y, out), new",
        "aux, grads = jax.value_and_grad(loss_fn, has_aux=True)(params)",
        "params, aux[0], opt_state",
    ),
    (
        PAIR,
        "error(y, out), new",
        "loss_grad = jax.value_and_grad(loss_fn, has_aux=True)\n    (loss, _), grads = loss_grad(params)",
        "params, opt_state",
    ),
    (f"out, new = other = {APPLY}", "error(y, out)", "grads = jax.grad(loss_fn)(params)", "params, stats, opt_state"),
]


def step(forward, returned, gradient, result, after=None):
    """A training step, and a loop that keeps what it gives back."""
    text = LOSS.format(forward=forward, returned=returned, gradient=gradient, result=result)
    return text + (after if after is not None else "")


@pytest.mark.parametrize(("forward", "returned", "gradient", "result"), KEPT)
def test_statistics_that_leave_the_step_in_any_way_are_kept(forward, returned, gradient, result):
    """As aux, as an item of what apply gives, through a name, or where nobody can follow them."""
    assert reported(step(forward, returned, gradient, result)) == []


@pytest.mark.parametrize(("forward", "returned", "gradient", "result"), DROPPED)
def test_statistics_that_end_inside_the_step_are_lost(forward, returned, gradient, result):
    """However they were taken apart on the way."""
    assert reported(step(forward, returned, gradient, result)) == ["BN311"]


WHOLE = step(PAIR, "error(y, out), new", VAG, "params, new['batch_stats'], opt_state")
LOOPS = [
    (
        "    for x, y in batches:\n        params, stats, opt_state = jax.jit(train_step)(params, stats, opt_state, x, y)",
        [],
    ),
    (
        "    step = jax.jit(train_step)\n    for x, y in batches:\n        params, stats, opt_state = step(params, stats, opt_state, x, y)",
        [],
    ),
    (
        "    for x, y in batches:\n        state = train_step(params, stats, opt_state, x, y)\n        params, stats, opt_state = state",
        [],
    ),
    ("    jax.lax.scan(train_step, params, batches)", []),
    ("    return [train_step(params, stats, opt_state, x, y) for x, y in batches]", []),
    ("    for x, y in batches:\n        params, _, opt_state = train_step(params, stats, opt_state, x, y)", ["BN311"]),
    (
        "    step = jax.jit(train_step)\n    for x, y in batches:\n        params, _, opt_state = step(params, stats, opt_state, x, y)",
        ["BN311"],
    ),
    (
        "    for x, y in batches:\n        state = train_step(params, stats, opt_state, x, y)\n        params, opt_state = state[0], state[2]",
        ["BN311"],
    ),
]


@pytest.mark.parametrize(("loop", "codes"), LOOPS)
def test_the_loop_must_hand_the_statistics_to_the_next_step(loop, codes):
    """The step gives them back; whoever calls it has to keep them."""
    assert reported(f"{WHOLE}\n\ndef fit(params, stats, opt_state, batches):\n{loop}\n    return params\n") == codes


DECORATED = """
@{decorator}
def loss_fn(params, stats, x, y):
    out, new = {apply}
    return error(y, out), new


def train_step(params, stats, x, y):
    (loss, {new}), grads = loss_fn(params, stats, x, y)
    return grads, {result}
"""


@pytest.mark.parametrize(
    "decorator",
    [
        "functools.partial(jax.value_and_grad, has_aux=True)",
        "functools.partial(jax.value_and_grad, argnums=0, has_aux=True)",
    ],
)
def test_a_decorated_loss_gives_its_statistics_as_aux(decorator):
    """The gradient is taken where the loss is defined."""
    kept = DECORATED.format(decorator=decorator, apply=APPLY, new="new", result="new")
    assert reported(kept) == []
    lost = DECORATED.format(decorator=decorator, apply=APPLY, new="_", result="stats")
    assert reported(lost) == ["BN311"]


TAKEN = [
    "jax.grad(functools.partial(forward, stats=stats))(params)",
    "jax.grad(jax.jit(forward))(params, stats)",
    "functools.partial(jax.grad, forward)()(params, stats)",
    "jax.grad(lambda p: forward(p, stats))(params)",
    "jax.value_and_grad(jax.checkpoint(forward))(params, stats)",
]


@pytest.mark.parametrize("taken", TAKEN)
def test_a_gradient_is_seen_through_what_wraps_the_function(taken):
    """jit, partial, checkpoint, and a lambda that calls it."""
    forward = f"\ndef forward(params, stats):\n    out, _ = {APPLY}\n    return error(y, out)\n"
    assert reported(f"{forward}\n\ndef train_step(params, stats):\n    return {taken}\n") == ["BN311"]


def test_a_forward_pass_without_a_gradient_may_drop_them():
    """To look at activations is no training."""
    assert reported(f"\ndef forward(params, stats, x):\n    out, _ = {APPLY}\n    return out\n") == []


HAIKU = """\
import haiku as hk
import jax
import jax.numpy as jnp


def forward(x, is_training):
    x = {layer}
    return hk.Linear(1)(x)


{made}


def loss_fn(params, state, x):
    out, {new} = {network}.apply(params, state, None, x, is_training=True)
    return jnp.mean(out), {given}


def train_step(params, state, x):
    grads, {new} = jax.grad(loss_fn, has_aux=True)(params, state, x)
    return grads, {given}
"""
NORM = "hk.BatchNorm(True, True, 0.9)(x, is_training)"


@pytest.mark.parametrize(
    ("layer", "new", "given", "codes"),
    [(NORM, "new", "new", []), (NORM, "_", "state", ["BN311"]), ("jax.nn.relu(x)", "_", "state", [])],
)
def test_haiku_gives_its_state_back_as_well(layer, new, given, codes):
    """Of a network with a batch norm; the state of others may be dropped."""
    made = "network = hk.transform_with_state(forward)"
    text = HAIKU.format(layer=layer, new=new, given=given, made=made, network="network")
    assert [code for _, _, code in found_in({"t.py": text}, RULES, DEFAULT)] == codes
