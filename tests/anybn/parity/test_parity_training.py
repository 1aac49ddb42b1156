"""`anybn` against the real frameworks: outputs and statistics of several training steps, evaluation after each."""

import importlib
import importlib.util

import numpy as np
import pytest
from framework_drivers import (
    equinox_layer,
    flax_layer,
    haiku_layer,
    keras_layer,
    slim_layer,
    tf_keras_layer,
    torch_layer,
)

import anybn
from anybn import convert

pytestmark = pytest.mark.filterwarnings("ignore")  # other projects' deprecations, not ours

STEPS = 5
LAYERS = {
    "torch": ("torch", convert.to_torch, convert.from_torch, torch_layer, {}, {}),
    "torch_cumulative": ("torch", convert.to_torch, convert.from_torch, torch_layer, {}, {}),
    "keras": ("keras", convert.to_keras, convert.from_keras, keras_layer, {}, {}),
    "keras2": (
        "tf_keras", convert.to_keras, convert.from_keras, tf_keras_layer, {"version": "keras2"}, {"version": "keras2"}
    ),
    "keras2_fused": (
        "tf_keras", convert.to_keras, convert.from_keras, tf_keras_layer, {"version": "keras2"}, {"version": "keras2"}
    ),
    "flax": ("flax", convert.to_flax, convert.from_flax, flax_layer, {}, {}),
    "haiku": ("haiku", convert.to_haiku, convert.from_haiku, haiku_layer, {"ndim": 4}, {}),
    "equinox_ema": ("equinox", convert.to_equinox, convert.from_equinox, equinox_layer, {}, {}),
    "equinox_batch_divided_var": ("equinox", convert.to_equinox, convert.from_equinox, equinox_layer, {}, {}),
    "contrib": ("tf_slim", convert.to_contrib, convert.from_contrib, slim_layer, {}, {}),
    "contrib_fused": ("tf_slim", convert.to_contrib, convert.from_contrib, slim_layer, {}, {}),
}  # fmt: skip


def data(shape=(6, 2, 3, 4)):
    rng = np.random.default_rng(11)
    batches = [(rng.normal(1, 2, shape) * (1 + k)).astype(np.float32) for k in range(STEPS)]
    return batches, rng.normal(1, 2, shape).astype(np.float32)


@pytest.mark.parametrize("name", LAYERS)
def test_steps_and_evaluations(name):
    """y of each step, y of evaluation before and after each step, and the final statistics, are the framework's."""
    package, write, read, drive, writing, reading = LAYERS[name]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    batches, probe = data()
    rng = np.random.default_rng(5)
    params, state = anybn.init(4, xp=np, semantics=name)
    params = anybn.Params(*(rng.uniform(0.5, 2, 4).astype(np.float32) for _ in range(2)))
    semantics = anybn.PRESETS[name]
    exported = write(convert.Snapshot(params, state, semantics), training=True, **writing)
    drive_result = drive(exported.arrays, exported.arguments, batches, probe)
    options = {"axis": -1, "semantics": semantics}
    if semantics.name.startswith("equinox_ema"):
        # Its statistics are uninitialised memory before the first step.
        drive_result.evaluated[0] = anybn.batch_norm(probe, params, state, training=False, **options)[0]
    want = drive_result.evaluated
    np.testing.assert_allclose(anybn.batch_norm(probe, params, state, training=False, **options)[0], want[0], atol=2e-5)
    for k, batch in enumerate(batches):
        y, state = anybn.batch_norm(batch, params, state, training=True, **options)
        np.testing.assert_allclose(y, drive_result.trained[k], rtol=2e-5, atol=2e-5)
        evaluated, _ = anybn.batch_norm(probe, params, state, training=False, **options)
        np.testing.assert_allclose(evaluated, want[k + 1], rtol=5e-5, atol=5e-5)
    after = read(drive_result.arrays, exported.arguments, exported.frozen, **reading).state
    np.testing.assert_allclose(np.asarray(after.mean), state.mean, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(after.var), state.var, rtol=2e-5)


def tf_layer(kind, arguments, call=None, shape=None):
    """Train a Keras-like layer eagerly on the batches; outputs, then all its weights by short name."""
    batches, _ = data()
    layer = kind(**arguments)
    outputs = [np.asarray(layer(batch, training=True, **(call or {}))) for batch in batches]
    return outputs, {w.name.split("/")[-1].split(":")[0]: np.asarray(w).reshape(4) for w in layer.weights}


def ours(semantics, **options):
    batches, _ = data()
    params, state = anybn.init(4, xp=np, semantics=semantics)
    outputs = []
    for batch in batches:
        y, state = anybn.batch_norm(batch, params, state, training=True, axis=-1, semantics=semantics, **options)
        outputs.append(y)
    return outputs, state


CLIPPING = {"rmin": 1 / 3, "rmax": 3.0, "dmax": 5.0}


@pytest.mark.parametrize("clipping", [{}, CLIPPING], ids=["free", "clipped"])
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_renorm(package, clipping):
    """Batch renormalisation of Keras 3 and tf_keras over several steps: outputs and all six statistics."""
    module = pytest.importorskip(package)
    want, weights = tf_layer(
        module.layers.BatchNormalization, {"renorm": True, "renorm_clipping": clipping or None, "momentum": 0.9,
                                           "renorm_momentum": 0.8},
    )  # fmt: skip
    name = "keras_renorm" if package == "keras" else "keras2_renorm"
    semantics = anybn.PRESETS[name].but(decay=0.9, renorm=anybn.Renorm(decay=0.8, **clipping))
    got, state = ours(semantics)
    for mine, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=2e-4)
    np.testing.assert_allclose(state.mean, weights["moving_mean"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state.var, weights["moving_variance"], rtol=1e-4)
    np.testing.assert_allclose(state.renorm_mean, weights["renorm_mean"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state.renorm_std, weights["renorm_stddev"], rtol=1e-5)


def test_virtual_batches():
    """virtual_batch_size of tf_keras."""
    module = pytest.importorskip("tf_keras")
    want, weights = tf_layer(module.layers.BatchNormalization, {"virtual_batch_size": 3, "momentum": 0.9})
    got, state = ours("keras2_virtual", ghost=3, decay=0.9)
    for mine, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5)
    np.testing.assert_allclose(state.mean, weights["moving_mean"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state.var, weights["moving_variance"], rtol=1e-5)


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_masks(package):
    """A mask of time steps, in Keras 3 and tf_keras: statistics and outputs at what is seen."""
    module = pytest.importorskip(package)
    mask = np.random.default_rng(3).random((6, 2, 3)) < 0.6
    # tf_keras ignores the mask on its fused path.
    extra = {"fused": False} if package == "tf_keras" else {}
    want, weights = tf_layer(module.layers.BatchNormalization, {"momentum": 0.9, **extra}, {"mask": mask})
    got, state = ours("keras" if package == "keras" else "keras2", mask=mask, decay=0.9)
    for mine, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(mine[mask], theirs[mask], atol=2e-5)
    np.testing.assert_allclose(state.mean, weights["moving_mean"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state.var, weights["moving_variance"], rtol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("momentum", [0.99, 0.9])
def test_tf1_layers(fused, momentum):
    """tf.compat.v1.layers.batch_normalization in a graph, its updates run, fused and not."""
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("tf_keras")
    import os

    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    v1 = tf.compat.v1
    if not hasattr(v1.layers, "batch_normalization"):
        pytest.skip("needs tf_keras as tf.keras")
    batches, _ = data()
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, batches[0].shape)
        y = v1.layers.batch_normalization(x, momentum=momentum, training=True, fused=fused)
        updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
        assert len(updates) == 2
        session.run(v1.global_variables_initializer())
        want = [session.run([y, updates], {x: batch})[0] for batch in batches]
        variables = {v.name.split("/")[-1]: session.run(v) for v in v1.global_variables()}
    got, state = ours("tf1_fused" if fused else "tf1", decay=momentum)
    for mine, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5)
    np.testing.assert_allclose(state.mean, variables["moving_mean:0"], rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(state.var, variables["moving_variance:0"], rtol=2e-5)


@pytest.mark.parametrize("options", [{"zero_debias_moving_mean": True}, {"batch_weights": True}, {}])
@pytest.mark.parametrize("fused", [True, False])
def test_slim_options(options, fused, monkeypatch):
    """tf_slim's batch_norm, the heir of tf.contrib's: zero debias of the mean, batch weights."""
    tf = pytest.importorskip("tensorflow")
    slim = pytest.importorskip("tf_slim")
    # tf_slim 1.1 looks for it where TensorFlow < 2.16 had it.
    monkeypatch.setattr(importlib.import_module("tensorflow.python.framework.ops"), "Tensor", tf.Tensor, raising=False)
    batches, _ = data()
    weighted = "batch_weights" in options
    weights = np.array([1, 0.5, 0, 2, 1, 3], np.float32)
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, batches[0].shape)
        arguments = {"batch_weights": tf.constant(weights)} if weighted else options
        # Batch weights force the unfused path in any case.
        path = None if weighted else fused
        y = slim.layers.batch_norm(x, decay=0.9, is_training=True, fused=path, updates_collections=None, **arguments)
        session.run(v1.global_variables_initializer())
        want = [session.run(y, {x: batch}) for batch in batches]
        variables = {v.name.split("/")[-1]: session.run(v) for v in v1.global_variables()}
    unfused = weighted or not fused
    name = ("contrib" if unfused else "contrib_fused") + (
        "_zero_debias" if "zero_debias_moving_mean" in options else ""
    )
    got, state = ours(name, decay=0.9, **({"weights": weights} if weighted else {}))
    for mine, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5)
    np.testing.assert_allclose(state.mean, variables["moving_mean:0"], rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(state.var, variables["moving_variance:0"], rtol=2e-5)


@pytest.mark.parametrize("opset", [14, 15])
@pytest.mark.parametrize("momentum", [0.9, 0.5])
def test_onnxruntime_training_mode(opset, momentum):
    """BatchNormalization with training_mode=1 in onnxruntime, its outputs fed back, and inference of opsets 9 to 15."""
    onnx = pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    batches, probe = (
        [np.moveaxis(b, -1, 1).copy() for b in data()[0]],
        np.moveaxis(data()[1], -1, 1).copy(),
    )

    def session(training, opset):
        names = ["x", "scale", "B", "mean", "var"]
        outputs = ["y", "new_mean", "new_var"] if training else ["y"]
        extra = {"training_mode": 1} if training else {}
        node = onnx.helper.make_node("BatchNormalization", names, outputs, epsilon=1e-5, momentum=momentum, **extra)
        tensor = onnx.helper.make_tensor_value_info
        kind = onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            [node],
            "bn",
            [tensor("x", kind, probe.shape), *(tensor(n, kind, [4]) for n in names[1:])],
            [tensor("y", kind, probe.shape), *(tensor(n, kind, [4]) for n in outputs[1:])],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)
        return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    rng = np.random.default_rng(5)
    scale, offset = (rng.uniform(0.5, 2, 4).astype(np.float32) for _ in range(2))
    mean, var = np.zeros(4, np.float32), np.ones(4, np.float32)
    state = anybn.RunningStats(mean, var)
    params = anybn.Params(scale, offset)
    name = "onnx" if opset == 15 else "onnx_14"
    train = session(True, opset)
    for batch in batches:
        feed = {"x": batch, "scale": scale, "B": offset, "mean": mean, "var": var}
        want, mean, var = train.run(None, feed)
        y, state = anybn.batch_norm(batch, params, state, training=True, semantics=name, decay=momentum)
        np.testing.assert_allclose(y, want, atol=2e-5)
        np.testing.assert_allclose(state.mean, mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(state.var, var, rtol=1e-5)
    for old in (9, 14, 15):
        feed = {"x": probe, "scale": scale, "B": offset, "mean": mean, "var": var}
        (want,) = session(False, old).run(None, feed)
        y, _ = anybn.batch_norm(probe, params, state, training=False, semantics="onnx_9" if old == 9 else name)
        np.testing.assert_allclose(y, want, atol=2e-5)


def test_onnx_reference_evaluator_9():
    """The quirk by its own name: the reference evaluator of opset 9 blends even in inference."""
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    probe = np.moveaxis(data()[1], -1, 1).copy()
    names = ["x", "scale", "B", "mean", "var"]
    node = onnx.helper.make_node("BatchNormalization", names, ["y"])
    tensor, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph([node], "bn", [tensor(n, kind, None) for n in names], [tensor("y", kind, None)])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 9)], ir_version=8)
    rng = np.random.default_rng(5)
    values = [rng.uniform(0.5, 2, 4).astype(np.float32) for _ in range(4)]
    (want,) = reference.ReferenceEvaluator(model).run(None, dict(zip(names, [probe, *values], strict=True)))
    state = anybn.RunningStats(*values[2:])
    y, _ = anybn.batch_norm(probe, anybn.Params(*values[:2]), state, training=False, semantics="onnx_reference_9")
    np.testing.assert_allclose(y, want, atol=2e-5)


def test_torch_edges():
    """torch's own answers at its edges: one value raises, an empty batch counts, momentum=0 freezes and counts."""
    torch = pytest.importorskip("torch")
    layer = torch.nn.BatchNorm1d(3)
    params, state = anybn.init(3, xp=torch)
    for bad in (torch.ones(1, 3), torch.ones(1, 3, 1)):
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            layer(bad)
        with pytest.raises(ValueError, match="one value per channel has no variance"):
            anybn.batch_norm(bad, params, state, training=True)
    layer = torch.nn.BatchNorm1d(3)  # torch counts calls that raise, too
    layer(torch.ones(0, 3))
    _, state = anybn.batch_norm(torch.ones(0, 3), params, state, training=True)
    torch.testing.assert_close(state.var, layer.running_var)
    assert state.steps == int(layer.num_batches_tracked) == 1
    frozen = torch.nn.BatchNorm1d(3, momentum=0.0)
    frozen(torch.randn(4, 3))
    _, kept = anybn.batch_norm(torch.randn(4, 3), params, state, training=True, decay=1.0)
    torch.testing.assert_close(kept.var, frozen.running_var)
    assert (kept.steps, int(frozen.num_batches_tracked)) == (2, 1)
