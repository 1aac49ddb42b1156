"""Converters: plain mappings in and out, a round trip changes nothing, and what cannot be carried says so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anybn
from anybn import PRESETS, BadValue, Params, Renorm, RunningStats, Unsupported, convert
from anybn.convert import Snapshot
from anybn.convert._record import decay_of, momentum_of

C = 3


def arrays_of(names, seed=0):
    """Positive float32 numbers under these names."""
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(0.5, 2, C).astype(np.float32) for name in names}


def same(one, other):
    """Equal mappings of arrays, through trees."""
    assert set(one) == set(other)
    for name, value in one.items():
        if isinstance(value, dict):
            same(value, other[name])
        else:
            np.testing.assert_array_equal(value, other[name])
            assert np.asarray(value).dtype == np.asarray(other[name]).dtype


TORCH = arrays_of(["weight", "bias", "running_mean", "running_var"]) | {"num_batches_tracked": np.array(5)}
KERAS = arrays_of(["gamma", "beta", "moving_mean", "moving_variance"])
KERAS_RENORM = KERAS | arrays_of(["moving_stddev", "renorm_mean", "renorm_stddev"], 1)
SLIM = {f"net/bn/{name}": value for name, value in KERAS.items()}
FLAX = {"params": arrays_of(["scale", "bias"]), "batch_stats": arrays_of(["mean", "var"], 1)}
EQUINOX = arrays_of(["weight", "bias", "hidden_mean", "hidden_var"]) | {"counter": 7}
EQUINOX_EMA = arrays_of(["weight", "bias", "running_mean", "running_var"]) | {"first_time": False}
PADDLE = arrays_of(["weight", "bias", "_mean", "_variance"])
ONNX = arrays_of(["s", "b", "m", "v"])
INPUTS = ("x", "s", "b", "m", "v")

ROUND_TRIPS = {
    "torch": (convert.from_torch, convert.to_torch, TORCH, {"eps": 1e-4, "momentum": 0.03}, {}, {}),
    "torch, cumulative": (convert.from_torch, convert.to_torch, TORCH, {"momentum": None}, {}, {}),
    "torch, no affine": (
        convert.from_torch,
        convert.to_torch,
        {k: v for k, v in TORCH.items() if k not in ("weight", "bias")},
        {"affine": False},
        {},
        {},
    ),
    "torch, in a model": (
        convert.from_torch,
        convert.to_torch,
        {f"net.bn.{k}": v for k, v in TORCH.items()},
        {},
        {"prefix": "net.bn"},
        {"prefix": "net.bn"},
    ),
    "keras": (convert.from_keras, convert.to_keras, KERAS, {"momentum": 0.9, "epsilon": 1e-5}, {}, {}),
    "keras, no gamma": (
        convert.from_keras,
        convert.to_keras,
        {k: v for k, v in KERAS.items() if k != "gamma"},
        {"scale": False},
        {},
        {},
    ),
    "keras, renorm": (
        convert.from_keras,
        convert.to_keras,
        KERAS_RENORM,
        {"renorm": True, "renorm_clipping": {"rmax": 3.0, "dmax": 5.0}, "renorm_momentum": 0.8},
        {},
        {},
    ),
    "keras2, fused": (
        convert.from_keras,
        convert.to_keras,
        KERAS,
        {"fused": True},
        {"version": "keras2"},
        {"version": "keras2"},
    ),
    "tf1, not fused": (
        convert.from_keras,
        convert.to_keras,
        KERAS,
        {"fused": False},
        {"version": "tf1"},
        {"version": "tf1"},
    ),
    "slim": (
        convert.from_contrib,
        convert.to_contrib,
        SLIM,
        {"decay": 0.997},
        {"scope": "net/bn"},
        {"scope": "net/bn"},
    ),
    "flax": (convert.from_flax, convert.to_flax, FLAX, {"momentum": 0.95, "epsilon": 1e-3}, {}, {}),
    "flax, in a tree": (
        convert.from_flax,
        convert.to_flax,
        {name: {"block": {"bn": tree}} for name, tree in FLAX.items()},
        {},
        {"path": "block/bn"},
        {"path": "block/bn"},
    ),
    "nnx": (convert.from_flax, convert.to_flax, FLAX["params"] | FLAX["batch_stats"], {}, {}, {"api": "nnx"}),
    "equinox, batch": (convert.from_equinox, convert.to_equinox, EQUINOX, {"mode": "batch"}, {}, {}),
    "equinox, ema": (convert.from_equinox, convert.to_equinox, EQUINOX_EMA, {"mode": "ema", "momentum": 0.9}, {}, {}),
    "paddle": (convert.from_paddle, convert.to_paddle, PADDLE, {"momentum": 0.8}, {}, {}),
    "onnx": (convert.from_onnx, convert.to_onnx, ONNX, {"momentum": 0.8}, {"inputs": INPUTS}, {"inputs": INPUTS}),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_round_trip_is_the_identity(name):
    """Reading and writing gives the same names, the same numbers and types, the same arguments; nothing is frozen or lost."""
    read, write, arrays, arguments, reading, writing = ROUND_TRIPS[name]
    snapshot = read(arrays, arguments, **reading)
    exported = write(snapshot, training=True, **writing)
    same(exported.arrays, arrays)
    assert arguments.items() <= exported.arguments.items()
    assert (exported.frozen, exported.not_carried, exported.notes) == ((), (), ())
    again = read(exported.arrays, exported.arguments, exported.frozen, **reading)
    assert again.semantics == snapshot.semantics
    same({"m": again.state.mean, "v": again.state.var}, {"m": snapshot.state.mean, "v": snapshot.state.var})


def test_haiku_round_trip():
    """hidden is average * (1 - decay**counter), so it comes back to a rounding; the rest is identical."""
    average = arrays_of(["mean", "var"])
    left = 1 - 0.9**4
    state = {
        f"net/bn/~/{name}_ema": {
            "hidden": value[None] * np.float32(left),
            "average": value[None],
            "counter": np.array(4, np.int32),
        }
        for name, value in average.items()
    }
    params = {"net/bn": {name: value[None] for name, value in arrays_of(["scale", "offset"], 1).items()}}
    snapshot = convert.from_haiku({"params": params, "state": state}, {"decay_rate": 0.9}, module="net/bn")
    assert snapshot.state.steps == 4
    exported = convert.to_haiku(snapshot, training=True, ndim=2, module="net/bn")
    same(exported.arrays["params"], params)
    for name, kept in state.items():
        got = exported.arrays["state"][name]
        np.testing.assert_allclose(got.pop("hidden"), kept.pop("hidden"), rtol=2e-7)
        same(got, kept)
    assert exported.arguments["decay_rate"] == 0.9


@settings(deadline=None)
@given(st.floats(0.0, 1.0))
def test_momentum_means_what_the_framework_says(decay):
    """Translating a decay to PyTorch's momentum and back gives the same decay to the last bit or two."""
    assert abs(decay_of(momentum_of(decay, weighs="new"), weighs="new") - decay) <= 1.2e-16
    assert momentum_of(decay, weighs="old") == decay


@pytest.mark.parametrize(
    ("decay", "momentum"), [(0.9, 0.1), (0.99, 0.01), (0.999, 0.001), (0.9997, 0.0003), (1.0, 0.0), (0.0, 1.0)]
)
def test_momentum_is_the_number_people_write(decay, momentum):
    """0.9 becomes 0.1, not 0.09999999999999998."""
    assert momentum_of(decay, weighs="new") == momentum


def snapshot_of(preset, **changes):
    values = arrays_of(["scale", "offset", "mean", "var"])
    return Snapshot(
        Params(values["scale"], values["offset"]),
        RunningStats(values["mean"], values["var"]),
        PRESETS[preset].but(**changes),
    )


WRITERS = {
    "torch": convert.to_torch,
    "keras": convert.to_keras,
    "contrib": convert.to_contrib,
    "flax": convert.to_flax,
    "equinox": convert.to_equinox,
    "paddle": convert.to_paddle,
    "onnx": convert.to_onnx,
    "haiku": lambda snapshot, *, training: convert.to_haiku(snapshot, training=training, ndim=2),
}


@pytest.mark.parametrize("writer", ["keras", "flax", "paddle", "onnx", "haiku", "equinox"])
def test_unbiased_is_refused_for_training(writer):
    """PyTorch's unbiased running variance cannot be trained on where the variance is biased."""
    snapshot = snapshot_of("torch")
    with pytest.raises(Unsupported, match=r"variance: unbiased there, biased here.*training=False"):
        WRITERS[writer](snapshot, training=True)
    exported = WRITERS[writer](snapshot, training=False)
    assert any("unbiased there, biased here" in line for line in exported.not_carried)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ("torch_cumulative", "a cumulative average there, an exponential average here"),
        ("keras_renorm", "batch renormalisation is on there, off here"),
        ("haiku", "zero debias of the running statistics: both there, none here"),
        ("equinox_ema", "by the statistics of: running there, batch here"),
        ("keras_2_3", r"corrected \(1.001,\) there"),
        ("einx_first_call", "first batch does to the running statistics: ignore there"),
    ],
)
def test_what_cannot_be_trained_on_says_so(writer, preset, message):
    """Every difference in training is named; writers whose framework has the feature accept it."""
    able = {
        ("torch", "torch_cumulative"),
        ("keras", "keras_renorm"),
        ("haiku", "haiku"),
        ("equinox", "haiku"),
        ("equinox", "equinox_ema"),
    }
    snapshot = snapshot_of(preset)
    extra = snapshot.state.var
    snapshot = snapshot._replace(state=snapshot.state._replace(std=extra, renorm_mean=extra, renorm_std=extra))
    if (writer, preset) in able:
        assert WRITERS[writer](snapshot, training=True).not_carried == ()
        return
    with pytest.raises(Unsupported, match=message):
        WRITERS[writer](snapshot, training=True)
    assert WRITERS[writer](snapshot, training=False).not_carried


@pytest.mark.parametrize("preset", ["haiku", "equinox_ema", "equinox_batch_divided_var", "cudnn"])
def test_a_start_that_is_over_does_not_stand_in_the_way(preset):
    """After enough steps nothing is left of debiasing or of the first batch; before, it is refused."""
    early, late = (snapshot_of(preset, decay=0.9, normalize_by="batch") for _ in range(2))
    early, late = (one._replace(state=one.state._replace(steps=steps)) for one, steps in ((early, 0), (late, 500)))
    target = convert.to_torch if preset == "cudnn" else convert.to_flax
    with pytest.raises(Unsupported, match="there"):
        target(early, training=True)
    exported = target(late, training=True)
    kept = exported.arrays["running_var"] if preset == "cudnn" else exported.arrays["batch_stats"]["var"]
    np.testing.assert_array_equal(kept, late.state.var)


@pytest.mark.parametrize("writer", ["haiku", "equinox"])
def test_statistics_that_never_move(writer):
    """decay=1 makes Haiku and Equinox divide by 0: refused for training, and evaluation is written so that it does not."""
    snapshot = snapshot_of("keras", decay=1.0)
    with pytest.raises(Unsupported, match=r"never move: decay 1\.0"):
        WRITERS[writer](snapshot, training=True)
    arrays = WRITERS[writer](snapshot, training=False).arrays
    if writer == "equinox":
        assert arrays["counter"] == 0
        np.testing.assert_array_equal(arrays["hidden_var"], snapshot.state.var)
    else:
        np.testing.assert_array_equal(arrays["state"]["batch_norm/~/var_ema"]["average"][0], snapshot.state.var)


def test_degenerate_batches_are_notes():
    """What differs for one value per channel only does not stand in the way, but is told."""
    exported = convert.to_paddle(snapshot_of("flax"), training=True)
    assert exported.notes == ("a batch with one value per channel: compute there, identity here",)


def test_frozen_fill():
    """A scale that PyTorch cannot leave out is written as ones, named as frozen, and left out again when read."""
    snapshot = snapshot_of("contrib_fused")
    snapshot = snapshot._replace(params=snapshot.params._replace(scale=None))
    exported = convert.to_torch(snapshot, training=True)
    np.testing.assert_array_equal(exported.arrays["weight"], np.ones(C, np.float32))
    assert exported.frozen == ("weight",)
    assert convert.from_torch(exported.arrays, exported.arguments, exported.frozen).params.scale is None


def test_what_numbers_can_say_is_said_in_numbers():
    """A raised eps, an unused scale and a division in evaluation are taken into eps, params and statistics."""
    raised = convert.to_torch(snapshot_of("tf1_fused_eps_floor", eps=1e-7), training=True)
    assert raised.arguments["eps"] == 1.001e-5
    fixed = convert.to_onnx(snapshot_of("mxnet_nd_fix_gamma"), training=True)
    np.testing.assert_array_equal(fixed.arrays["scale"], np.ones(C, np.float32))
    assert fixed.frozen == ("scale",)
    divided = snapshot_of("equinox_batch_divided_var", decay=0.5)
    divided = divided._replace(state=divided.state._replace(steps=1))
    exported = convert.to_flax(divided, training=False)
    np.testing.assert_array_equal(exported.arrays["batch_stats"]["var"], divided.state.var / 0.5)


def test_a_blend_in_evaluation_has_no_home():
    """Evaluation that looks at its own batch cannot be written for anybody."""
    with pytest.raises(Unsupported, match="evaluation normalises by a blend"):
        convert.to_torch(snapshot_of("onnx_reference_9"), training=False)


def test_several_channel_axes_go_to_flax_only():
    """Statistics of shape (2, 3) are a Flax layer's; the others keep one axis."""
    grid = np.ones((2, 3), np.float32)
    snapshot = Snapshot(Params(), RunningStats(grid, grid), PRESETS["flax"])
    assert convert.to_flax(snapshot, training=True).arrays["batch_stats"]["mean"].shape == (2, 3)
    for writer in set(WRITERS) - {"flax"}:
        with pytest.raises(Unsupported, match=r"shape \(2, 3\)"):
            WRITERS[writer](snapshot, training=False)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: convert.from_torch({"weight": 1}),
            BadValue,
            "got weight with no running_mean and no running_var.*prefix=",
        ),
        (lambda: convert.from_torch(TORCH, prefix="bn1"), BadValue, r"bn1\.running_mean"),
        (lambda: convert.from_torch(TORCH, {"momentun": 0.1}), BadValue, "is not known to have: got momentun"),
        (lambda: convert.from_keras(KERAS, version="keras4"), BadValue, "no such Keras"),
        (lambda: convert.from_keras(KERAS, version="keras2"), BadValue, "whether the layer is fused decides"),
        (lambda: convert.from_keras(KERAS, {"renorm": True}), BadValue, "no moving_stddev"),
        (
            lambda: convert.from_keras(KERAS, {"virtual_batch_size": 8, "fused": False}, version="keras2"),
            Unsupported,
            "virtual_batch_size=8",
        ),
        (lambda: convert.from_contrib(SLIM, {"renorm": True}, scope="net/bn"), Unsupported, "version='tf1'"),
        (
            lambda: convert.from_contrib(SLIM, {"zero_debias_moving_mean": True}, scope="net/bn"),
            BadValue,
            "counts its steps: got 0 variables",
        ),
        (lambda: convert.from_flax(FLAX, path="a/b"), BadValue, "no such path: got a/b"),
        (lambda: convert.from_flax({"scale": 1}), BadValue, "no batch norm's tree: got scale at the root"),
        (lambda: convert.from_haiku({"state": {}}, {"decay_rate": 0.9}), BadValue, "no such module"),
        (lambda: convert.from_haiku({"state": {}}, {}), BadValue, "decay_rate has no default"),
        (lambda: convert.from_equinox(EQUINOX, {"mode": "ema"}), BadValue, "mode='ema' with weight"),
        (lambda: convert.from_onnx(ONNX, inputs=("x", "s")), BadValue, "five inputs: got 2: x, s"),
        (lambda: convert.by_order([1, 2, 3]), BadValue, "got 3 arrays; expected 4: gamma, beta"),
        (lambda: convert.to_torch(snapshot_of("torch"), training="yes"), BadValue, "training must be a Python bool"),
        (lambda: convert.find_layers([], "caffe"), BadValue, "no such framework: got 'caffe'"),
    ],
)
def test_refusals(call, error, message):
    """What is missing, unknown or misspelt is named, with what was expected."""
    with pytest.raises(error, match=message):
        call()


def test_find_layers():
    """Every prefix with a mean and a variance, in the checkpoint's order, of a model or of one layer."""
    names = ["conv.weight", *(f"net.bn{n}.{name}" for n in (1, 0) for name in TORCH), "fc.bias"]
    assert convert.find_layers(names, "torch") == ["net.bn1", "net.bn0"]
    assert convert.find_layers(TORCH, "torch") == [""]
    slim = [f"a/BatchNorm/{name}" for name in KERAS] + ["a/BatchNorm/moving_mean/biased", "global_step"]
    assert convert.find_layers(slim, "contrib") == ["a/BatchNorm"]
    assert convert.find_layers(["bn/moving_mean:0", "bn/moving_variance:0"], "keras") == ["bn"]


def test_names_with_a_number_of_the_output():
    """tf_keras ends its names with :0; that is understood."""
    arrays = {f"bn/{name}:0": value for name, value in KERAS.items()}
    snapshot = convert.from_keras(arrays, prefix="bn")
    np.testing.assert_array_equal(snapshot.state.mean, KERAS["moving_mean"])


def test_weights_by_order():
    """get_weights() has no names; the configuration says which arrays are there."""
    ordered = convert.by_order(list(KERAS.values())[1:], {"scale": False})
    same(ordered, {name: value for name, value in KERAS.items() if name != "gamma"})
    assert list(convert.by_order(list(KERAS_RENORM.values()), {"renorm": True})) == list(KERAS_RENORM)


def test_arrays_of_any_library(lib):
    """Arrays go through untouched, in their own library, and new ones are made in it."""
    arrays = {name: lib.array(value, "float32") for name, value in KERAS.items() if name != "gamma"}
    exported = convert.to_torch(convert.from_keras(arrays), training=False)
    assert exported.arrays["running_mean"] is arrays["moving_mean"]
    assert type(exported.arrays["weight"]) is type(arrays["beta"])
    assert int(lib.numpy(exported.arrays["num_batches_tracked"])) == 0


@pytest.mark.parametrize(
    "preset", ["torch", "flax", "haiku", "equinox_ema", "keras_renorm", "contrib_fused_zero_debias"]
)
def test_a_snapshot_runs_in_anybn(preset):
    """What a converter read is what batch_norm takes: params, state and semantics."""
    snapshot = snapshot_of(preset)
    extra = snapshot.state.var
    state = snapshot.state._replace(std=extra, renorm_mean=extra, renorm_std=extra)
    x = np.random.default_rng(0).normal(size=(5, C)).astype(np.float32)
    y, moved = anybn.batch_norm(x, snapshot.params, state, training=True, semantics=snapshot.semantics)
    assert np.isfinite(y).all()
    assert not np.array_equal(moved.mean, state.mean)


def test_onnxruntime_evaluates_what_was_written():
    """A node made from the exported initialisers and attributes gives anybn's evaluation, and trains like it."""
    onnx = pytest.importorskip("onnx", reason="writes the model")
    runtime = pytest.importorskip("onnxruntime", reason="runs the model")
    snapshot = snapshot_of("onnx", eps=1e-3, decay=0.75)
    x = np.random.default_rng(0).normal(size=(4, C, 5)).astype(np.float32)
    for training in (False, True):
        exported = convert.to_onnx(snapshot, training=training)
        outputs = ["y", "rm", "rv"] if training else ["y"]
        node = onnx.helper.make_node("BatchNormalization", list(convert.onnx.INPUTS), outputs, **exported.arguments)
        info = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            [node],
            "bn",
            [info("X", onnx.TensorProto.FLOAT, x.shape)],
            [info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
            [onnx.numpy_helper.from_array(value, name) for name, value in exported.arrays.items()],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 15)], ir_version=9)
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        got = session.run(None, {"X": x})
        y, state = anybn.batch_norm(x, snapshot.params, snapshot.state, training=training, semantics=snapshot.semantics)
        for one, other in zip(got, (y, state.mean, state.var), strict=False):
            np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)


def test_renorm_numbers_travel():
    """Clipping and the decay of batch renormalisation survive the way through the arguments."""
    renorm = Renorm(decay=0.7, rmin=0.5, rmax=2.0, dmax=3.0)
    snapshot = convert.from_keras(
        KERAS_RENORM,
        {"renorm": True, "renorm_clipping": {"rmin": 0.5, "rmax": 2.0, "dmax": 3.0}, "renorm_momentum": 0.7},
    )
    assert snapshot.semantics.renorm == renorm
    np.testing.assert_array_equal(snapshot.state.renorm_std, KERAS_RENORM["renorm_stddev"])
