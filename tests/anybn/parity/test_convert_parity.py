"""A converted layer answers as the original does: in training and in evaluation, step after step, in the real frameworks."""

import importlib.util
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
from framework_drivers import (
    Drive,
    equinox_layer,
    flax_layer,
    haiku_layer,
    keras_layer,
    nnx_layer,
    paddle_layer,
    slim_layer,
    tf1_layer,
    tf_keras_layer,
    torch_layer,
)

from anybn import PRESETS, Params, Renorm, RunningStats, Unsupported, convert
from anybn.convert import Exported, Snapshot

pytestmark = pytest.mark.filterwarnings("ignore")  # other projects' deprecations, not ours

CHANNELS = 3


class System(NamedTuple):
    """One real framework: its package, how to write for it, read from it, and run it."""

    package: str
    write: Callable[..., Exported]
    read: Callable[..., Snapshot]
    drive: Callable[..., Drive]
    options: Mapping[str, Any] = MappingProxyType({})
    reading: Mapping[str, Any] = MappingProxyType({})


SYSTEMS = {
    "torch": System("torch", convert.to_torch, convert.from_torch, torch_layer),
    "keras": System("keras", convert.to_keras, convert.from_keras, keras_layer),
    "tf_keras": System(
        "tf_keras", convert.to_keras, convert.from_keras, tf_keras_layer, {"version": "keras2"}, {"version": "keras2"}
    ),
    "tf1": System("tf_keras", convert.to_keras, convert.from_keras, tf1_layer, {"version": "tf1"}, {"version": "tf1"}),
    "nnx": System("flax", convert.to_flax, convert.from_flax, nnx_layer, {"api": "nnx"}),
    "flax": System("flax", convert.to_flax, convert.from_flax, flax_layer),
    "haiku": System("haiku", convert.to_haiku, convert.from_haiku, haiku_layer, {"ndim": 4}),
    "slim": System("tf_slim", convert.to_contrib, convert.from_contrib, slim_layer),
    "paddle": System("paddle", convert.to_paddle, convert.from_paddle, paddle_layer),
    "equinox": System("equinox", convert.to_equinox, convert.from_equinox, equinox_layer),
}
BIASED = ["keras", "tf_keras", "tf1", "slim", "flax", "nnx", "haiku", "paddle", "equinox"]
UNBIASED = ["torch", "tf_keras", "tf1", "slim"]


def system(name):
    """Return a system, or skip because its package is not installed."""
    found = SYSTEMS[name]
    if importlib.util.find_spec(found.package) is None:
        pytest.skip(f"needs {found.package}")
    return found


def batches(count=4, shape=(5, 2, 3, CHANNELS)):
    rng = np.random.default_rng(7)
    return [
        (rng.normal(size=shape) * rng.uniform(0.5, 3) + rng.normal(size=CHANNELS)).astype(np.float32)
        for _ in range(count)
    ]


PROBE = np.random.default_rng(8).normal(size=(4, 2, 3, CHANNELS)).astype(np.float32)


def start(corrections, *, scale=True, offset=True, name="keras"):
    """A layer in the middle of its training, with numbers of its own for eps and decay."""
    rng = np.random.default_rng(9)

    def some(low, high):
        return rng.uniform(low, high, CHANNELS).astype(np.float32)

    params = Params(some(0.5, 2) if scale else None, some(-1, 1) if offset else None)
    semantics = PRESETS[name].but(corrections=corrections, eps=2e-3, decay=0.8)
    return Snapshot(params, RunningStats(some(-1, 1), some(0.5, 2)), semantics)


def run(name, snapshot, steps):
    target = system(name)
    exported = target.write(snapshot, training=True, **target.options)
    return exported, target.drive(exported.arrays, exported.arguments, steps, PROBE)


def agree(one: Drive, other: Drive):
    for got, want in zip(one.trained + one.evaluated, other.trained + other.evaluated, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("there", "here"), [(a, b) for a in BIASED for b in BIASED if a != b])
def test_biased_systems_agree(there, here):
    """Keras, tf_keras and slim (unfused), Flax, Haiku and Equinox go on alike from the same snapshot, read from the first one."""
    steps = batches()
    exported, first = run(there, start(()), steps[:2])
    snapshot = system(there).read(first.arrays, exported.arguments, exported.frozen, **SYSTEMS[there].reading)
    _, mine = run(here, snapshot, steps[2:])
    _, theirs = run(there, snapshot, steps[2:])
    agree(mine, theirs)


@pytest.mark.parametrize(("there", "here"), [(a, b) for a in UNBIASED for b in UNBIASED if a != b])
def test_unbiased_systems_agree(there, here):
    """PyTorch and the fused paths of tf_keras and slim go on alike."""
    steps = batches()
    exported, first = run(there, start((1.0,), name="torch"), steps[:2])
    snapshot = system(there).read(first.arrays, exported.arguments, exported.frozen, **SYSTEMS[there].reading)
    assert snapshot.semantics.corrections == (1.0,)
    _, mine = run(here, snapshot, steps[2:])
    _, theirs = run(there, snapshot, steps[2:])
    agree(mine, theirs)


@pytest.mark.parametrize("there", UNBIASED)
@pytest.mark.parametrize("here", ["keras", "flax", "haiku", "paddle", "equinox"])
def test_unbiased_to_biased_is_refused_for_training_and_exact_for_evaluation(there, here):
    """An unbiased running variance has no home in a biased system: training says so, evaluation is the same."""
    target = system(here)
    snapshot = start((1.0,), name="torch")
    with pytest.raises(Unsupported, match="running variance: unbiased there, biased here"):
        target.write(snapshot, training=True, **target.options)
    exported = target.write(snapshot, training=False, **target.options)
    assert exported.not_carried
    origin = system(there)
    source = origin.write(snapshot, training=True, **origin.options)
    before = origin.drive(source.arrays, source.arguments, [], PROBE)
    after = target.drive(exported.arrays, exported.arguments, [], PROBE)
    np.testing.assert_allclose(after.evaluated[0], before.evaluated[0], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("scale", "offset"), [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize("name", SYSTEMS)
def test_missing_parameters(name, scale, offset):
    """A layer without scale or offset is the same in every system, and comes back without them."""
    target = system(name)
    snapshot = start((1.0,) if name == "torch" else (), scale=scale, offset=offset)
    exported, drive = run(name, snapshot, batches(1))
    back = target.read(drive.arrays, exported.arguments, exported.frozen, **target.reading)
    assert (back.params.scale is None, back.params.offset is None) == (not scale, not offset)
    plain = PROBE - snapshot.state.mean
    plain = plain / np.sqrt(snapshot.state.var + snapshot.semantics.eps)
    plain = plain * (snapshot.params.scale if scale else 1) + (snapshot.params.offset if offset else 0)
    np.testing.assert_allclose(drive.evaluated[0], plain, rtol=2e-5, atol=2e-5)


def test_keras_renorm_to_tf_keras():
    """Batch renormalisation with its own statistics and clipping goes from Keras 3 to tf_keras."""
    snapshot = start(())
    semantics = PRESETS["keras_renorm"].but(decay=0.8, renorm=Renorm(decay=0.7, rmin=0.5, rmax=2.0, dmax=3.0))
    stats = snapshot.state
    stats = stats._replace(
        std=np.sqrt(stats.var + 1e-3), renorm_mean=stats.mean + 0.5, renorm_std=np.sqrt(stats.var) * 1.5
    )
    snapshot = Snapshot(snapshot.params, stats, semantics)
    steps = batches()
    _, mine = run("keras", snapshot, steps)
    _, theirs = run("tf_keras", snapshot, steps)
    agree(mine, theirs)


def test_torch_cumulative_average():
    """momentum=None comes back as a cumulative average that knows its steps."""
    exported, drive = run(
        "torch", start((1.0,), name="torch_cumulative")._replace(semantics=PRESETS["torch_cumulative"]), batches(3)
    )
    back = convert.from_torch(drive.arrays, exported.arguments)
    assert back.semantics.decay is None
    assert int(back.state.steps) == 3
    with pytest.raises(Unsupported, match="cumulative average there, an exponential average here"):
        convert.to_flax(back, training=True)


@pytest.mark.parametrize("mode", ["ema", "batch"])
def test_equinox_goes_on_as_itself(mode):
    """Both modes of Equinox survive the way through a snapshot, the first step of mode "ema" too."""
    target = system("equinox")
    names = {"ema": ("running_mean", "running_var", "first_time"), "batch": ("hidden_mean", "hidden_var", "counter")}[
        mode
    ]
    state = dict(zip(names, (np.zeros(3, np.float32), np.ones(3, np.float32), mode == "ema" or 0), strict=True))
    arrays = {"weight": np.full(3, 1.5, np.float32), "bias": np.ones(3, np.float32), **state}
    arguments = {"input_size": 3, "mode": mode, "momentum": 0.9, "eps": 1e-4}
    want = target.drive(arrays, arguments, batches(), PROBE)
    exported = convert.to_equinox(convert.from_equinox(arrays, arguments), training=True)
    agree(target.drive(exported.arrays, exported.arguments, batches(), PROBE), want)


def test_haiku_goes_on_as_itself():
    """Zero debias keeps its place: hidden, average and counter come back, and the next steps are the same."""
    target = system("haiku")
    zeros, ones = np.zeros((1, 1, 1, 3), np.float32), np.ones((1, 1, 1, 3), np.float32)
    ema = {"hidden": zeros, "average": ones, "counter": np.array(0, np.int32)}
    arrays = {
        "params": {"batch_norm": {"scale": ones, "offset": zeros}},
        "state": {f"batch_norm/~/{n}_ema": ema for n in ("mean", "var")},
    }
    arguments = {"decay_rate": 0.9, "create_scale": True, "create_offset": True}
    steps = batches()
    whole = target.drive(arrays, arguments, steps, PROBE)
    half = target.drive(arrays, arguments, steps[:2], PROBE)
    exported = convert.to_haiku(convert.from_haiku(half.arrays, arguments), training=True, ndim=4)
    rest = target.drive(exported.arrays, exported.arguments, steps[2:], PROBE)
    for got, want in zip(rest.evaluated[1:], whole.evaluated[3:], strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("fused", [True, False])
def test_slim_zero_debias_goes_on_as_itself(fused):
    """The mean's biased copy and its count of steps come back under TensorFlow's names, and the next steps are the same."""
    target = system("slim")
    zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    arrays = {"net/bn/beta": zeros, "net/bn/moving_mean": zeros, "net/bn/moving_variance": ones}
    arrays |= {"net/bn/net/bn/moving_mean/biased": zeros, "net/bn/net/bn/moving_mean/local_step": np.float32(0)}
    arguments = {"decay": 0.9, "fused": fused, "zero_debias_moving_mean": True}
    steps = batches()
    whole = target.drive(arrays, arguments, steps, PROBE)
    half = target.drive(arrays, arguments, steps[:2], PROBE)
    exported = convert.to_contrib(
        convert.from_contrib(half.arrays, arguments, scope="net/bn"), training=True, scope="net/bn"
    )
    rest = target.drive(exported.arrays, exported.arguments, steps[2:], PROBE)
    for got, want in zip(rest.trained + rest.evaluated[1:], whole.trained[2:] + whole.evaluated[3:], strict=True):
        np.testing.assert_allclose(got, want, rtol=5e-5, atol=5e-5)


@pytest.mark.parametrize("done", [0, 2])
def test_haikus_zero_debias_goes_on_in_equinox(done):
    """Equinox debiases as Haiku does when it starts from zeros: the first step, and one in the middle."""
    haiku, equinox = system("haiku"), system("equinox")
    zeros, ones = np.zeros((1, 1, 1, 3), np.float32), np.ones((1, 1, 1, 3), np.float32)
    ema = {"hidden": zeros, "average": zeros, "counter": np.array(0, np.int32)}
    arrays = {
        "params": {"batch_norm": {"scale": ones, "offset": zeros}},
        "state": {f"batch_norm/~/{n}_ema": ema for n in ("mean", "var")},
    }
    arguments = {"decay_rate": 0.9, "create_scale": True, "create_offset": True}
    steps = batches()
    before = haiku.drive(arrays, arguments, steps[:done], PROBE)
    want = haiku.drive(arrays, arguments, steps, PROBE)
    exported = convert.to_equinox(convert.from_haiku(before.arrays, arguments), training=True)
    got = equinox.drive(exported.arrays, exported.arguments, steps[done:], PROBE)
    for one, other in zip(
        got.trained + got.evaluated[1:], want.trained[done:] + want.evaluated[done + 1 :], strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)
