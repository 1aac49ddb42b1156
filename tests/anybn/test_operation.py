"""Axes, masks, weights, ghost batches, guard and short batches: what the operation promises on every library."""

import numpy as np
import pytest

import anybn

SHAPES = [((6, 4), 1), ((6, 4), 0), ((5, 3, 7), 1), ((5, 3, 7), -1), ((2, 3, 4, 5), 1), ((2, 3, 4, 5), (1, 3))]
SHAPES += [((2, 3, 4, 5), (0, 1)), ((2, 3, 2, 3, 2), 1), ((2, 3, 2, 3, 2), -1), ((1, 3, 5), 1), ((7, 1), 1)]


def data(shape, seed=0, mean=3.0):
    """Normal values in float64, of which float32 keeps the tests' digits."""
    return np.random.default_rng(seed).normal(mean, 2, shape).astype(np.float32).astype(np.float64)


def reference(x, axis, eps=1e-5, weights=None, scale=None, offset=None):
    """Batch norm by its definition, in float64, with channels last; (y, mean, biased variance)."""
    axes = (axis,) if isinstance(axis, int) else axis
    kept = tuple(sorted(a % x.ndim for a in axes))
    reduce = tuple(i for i in range(x.ndim) if i not in kept)
    w = np.ones_like(x) if weights is None else np.broadcast_to(weights, x.shape)
    seen = np.where(w > 0, x, 0)
    count = w.sum(reduce, keepdims=True)
    mean = (w * seen).sum(reduce, keepdims=True) / count
    var = (w * np.where(w > 0, x - mean, 0) ** 2).sum(reduce, keepdims=True) / count
    y = (x - mean) / np.sqrt(var + eps)
    shape = [x.shape[i] if i in kept else 1 for i in range(x.ndim)]
    y = y * (1 if scale is None else scale.reshape(shape)) + (0 if offset is None else offset.reshape(shape))
    return y, mean.squeeze(reduce), var.squeeze(reduce)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("affine", ["none", "scale", "offset", "both"])
def test_any_axis_and_rank(lib, shape, axis, affine):
    """Any channel axis or axes of any rank, with scale, offset, both or none, in training and evaluation."""
    x = data(shape)
    _, mean, var = reference(x, axis)
    scale = data(mean.shape, 1) if affine in ("scale", "both") else None
    offset = data(mean.shape, 2) if affine in ("offset", "both") else None
    expected, *_ = reference(x, axis, scale=scale, offset=offset)
    params = anybn.Params(*(None if p is None else lib.array(p) for p in (scale, offset)))
    state = anybn.RunningStats(lib.array(np.zeros(mean.shape)), lib.array(np.ones(mean.shape)))
    y, new = anybn.batch_norm(lib.array(x), params, state, training=True, axis=axis, semantics="onednn")
    np.testing.assert_allclose(lib.numpy(y), expected, atol=1e-5)
    np.testing.assert_allclose(lib.numpy(new.mean), mean, rtol=1e-6)
    np.testing.assert_allclose(lib.numpy(new.var), var, rtol=1e-5)
    y, same = anybn.batch_norm(lib.array(x), params, new, training=False, axis=axis, semantics="onednn")
    np.testing.assert_allclose(lib.numpy(y), expected, atol=1e-5)
    assert same is new


MASKS = {
    "samples": ((6,), (6, 1, 1)),
    "without channels": ((6, 5), (6, 1, 5)),
    "full rank, broadcast": ((6, 1, 5), (6, 1, 5)),
    "every value": ((6, 3, 5), (6, 3, 5)),
}


@pytest.mark.parametrize("poison", [0.0, np.nan, np.inf, 1e30])
@pytest.mark.parametrize("shape", MASKS)
def test_mask_hides_whatever_is_there(lib, shape, poison):
    """What is masked has no influence on the others, be it NaN, and y is finite everywhere under NaN padding."""
    own, full = MASKS[shape]
    x = data((6, 3, 5))
    mask = np.random.default_rng(3).random(own) < 0.6
    mask.reshape(full)[0] = True
    wide = np.broadcast_to(mask.reshape(full), x.shape)
    expected, mean, var = reference(x, 1, weights=wide.astype(float))
    dirty = np.where(wide, x, poison)
    state = anybn.init(3, xp=lib.xp, semantics="onednn")[1]
    y, new = anybn.batch_norm(
        lib.array(dirty), None, state, training=True, semantics="onednn", mask=lib.array(mask, "bool")
    )
    np.testing.assert_allclose(lib.numpy(y)[wide], expected[wide], atol=1e-5)
    np.testing.assert_allclose(lib.numpy(new.mean), mean, rtol=1e-5)
    np.testing.assert_allclose(lib.numpy(new.var), var, rtol=1e-5)
    if not np.isfinite(poison):
        assert np.isfinite(lib.numpy(y)).all()


def test_weights_count_like_repetition(lib):
    """A weight of k is the sample k times: mean, unbiased variance and y."""
    x = data((5, 3))
    weights = np.array([1, 3, 0, 2, 1])
    repeated = np.repeat(x, weights, axis=0)
    fresh = anybn.init(3, xp=lib.xp)[1]
    y, new = anybn.batch_norm(lib.array(x), None, fresh, training=True, weights=lib.array(weights))
    z, want = anybn.batch_norm(lib.array(repeated), None, fresh, training=True)
    np.testing.assert_allclose(lib.numpy(new.mean), lib.numpy(want.mean), rtol=1e-6)
    np.testing.assert_allclose(lib.numpy(new.var), lib.numpy(want.var), rtol=1e-6)
    kept = weights > 0
    np.testing.assert_allclose(np.repeat(lib.numpy(y)[kept], weights[kept], axis=0), lib.numpy(z), atol=1e-6)


def test_mask_and_weights_together(lib):
    """A masked value has no weight, whatever its weight says, be it NaN."""
    x = data((5, 3))
    mask = np.array([True, True, False, True, True])
    weights = np.array([1, 2, np.nan, 1, 0.5])
    both, _ = anybn.batch_norm(lib.array(x), training=True, mask=lib.array(mask, "bool"), weights=lib.array(weights))
    expected, *_ = reference(x, 1, weights=np.where(mask, weights, 0)[:, None])
    np.testing.assert_allclose(lib.numpy(both), expected, atol=1e-5)


def test_all_masked_moves_nothing(lib):
    """A batch of which nothing counts leaves the statistics, is finite, and decays them only under the quirk's name."""
    x, none = lib.array(np.full((4, 3), np.nan)), lib.array([False] * 4, "bool")
    state = anybn.RunningStats(lib.array([1, 2, 3]), lib.array([4, 5, 6]))
    for name in ("keras", "torch", "flax"):
        y, new = anybn.batch_norm(x, None, state, training=True, semantics=name, mask=none)
        np.testing.assert_array_equal(lib.numpy(new.mean), [1, 2, 3])
        np.testing.assert_array_equal(lib.numpy(new.var), [4, 5, 6])
        np.testing.assert_array_equal(lib.numpy(y), np.zeros((4, 3)))
    _, new = anybn.batch_norm(x, None, state, training=True, semantics="keras_all_masked_decays", mask=none)
    np.testing.assert_allclose(lib.numpy(new.var), [3.96, 4.95, 5.94], rtol=1e-6)


def test_one_masked_channel_stays(lib):
    """With a mask per channel, only the channels that were seen move."""
    mask = np.array([[True, False]] * 4)
    state = anybn.init(2, xp=lib.xp)[1]
    _, new = anybn.batch_norm(lib.array(data((4, 2))), None, state, training=True, mask=lib.array(mask, "bool"))
    assert lib.numpy(new.mean)[0] != 0
    assert (lib.numpy(new.mean)[1], lib.numpy(new.var)[1]) == (0, 1)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_guard_refuses_a_batch_that_is_not_finite(lib, bad):
    """The running statistics stay as they were and the refusal is counted; a good batch is taken."""
    good = data((6, 3))
    poisoned = good.copy()
    poisoned[2, 1] = bad
    state = anybn.init(3, xp=lib.xp)[1]
    _, after = anybn.batch_norm(lib.array(poisoned), None, state, training=True, guard=True)
    np.testing.assert_array_equal(lib.numpy(after.mean), [0, 0, 0])
    np.testing.assert_array_equal(lib.numpy(after.var), [1, 1, 1])
    assert (int(after.steps), int(after.skipped)) == (0, 1)
    _, after = anybn.batch_norm(lib.array(good), None, after, training=True, guard=True)
    _, want = anybn.batch_norm(lib.array(good), None, state, training=True)
    np.testing.assert_array_equal(lib.numpy(after.mean), lib.numpy(want.mean))
    assert (int(after.steps), int(after.skipped)) == (1, 1)


def test_without_guard_a_nan_is_kept(lib):
    """As in every framework, unless asked otherwise: the poisoned channel alone is NaN."""
    x = data((6, 3))
    x[0, 0] = np.nan
    _, new = anybn.batch_norm(lib.array(x), None, anybn.init(3, xp=lib.xp)[1], training=True)
    assert np.isnan(lib.numpy(new.mean)).tolist() == [True, False, False]


@pytest.mark.parametrize("semantics", ["torch", "keras2_virtual"])
@pytest.mark.parametrize(("shape", "axis"), [((8, 3), 1), ((8, 3, 2, 2), 1), ((8, 2, 2, 3), -1), ((3, 8), 0)])
def test_ghost_batches_are_batches(lib, semantics, shape, axis):
    """Each group is normalised as a batch of its own; the statistics are the average of the groups'."""
    size, channels = 4, 3
    x = data(shape)
    batch_axis = 1 if axis == 0 else 0
    strided = anybn.PRESETS[semantics].ghost_order == "strided"
    rows = [np.arange(8)[i::2] if strided else np.arange(8)[4 * i : 4 * i + 4] for i in range(2)]
    params, state = anybn.init(channels, xp=lib.xp, semantics=semantics)
    params = params._replace(scale=lib.array([1, 2, 3]), offset=lib.array([-1, 0, 1]))
    options = {"training": True, "axis": axis, "semantics": semantics}
    y, new = anybn.batch_norm(lib.array(x), params, state, ghost=size, **options)
    parts = [anybn.batch_norm(lib.array(np.take(x, part, axis=batch_axis)), params, state, **options) for part in rows]
    for part, (expected, _) in zip(rows, parts, strict=True):
        np.testing.assert_allclose(np.take(lib.numpy(y), part, axis=batch_axis), lib.numpy(expected), atol=2e-6)
    np.testing.assert_allclose(lib.numpy(new.mean), np.mean([lib.numpy(s.mean) for _, s in parts], axis=0), rtol=1e-5)
    np.testing.assert_allclose(lib.numpy(new.var), np.mean([lib.numpy(s.var) for _, s in parts], axis=0), rtol=1e-5)


def test_ghost_batches_with_a_mask(lib):
    """The mask is split as the samples are."""
    x, mask = data((8, 3)), np.array([1, 1, 0, 1, 1, 0, 1, 1], dtype=bool)
    y, _ = anybn.batch_norm(lib.array(x), training=True, ghost=4, mask=lib.array(mask, "bool"))
    for part in (slice(0, 4), slice(4, 8)):
        expected, *_ = reference(x[part], 1, weights=mask[part, None].astype(float))
        np.testing.assert_allclose(lib.numpy(y)[part], expected, atol=1e-5)


ONE_VALUE = {"keras": "compute", "contrib_fused": "compute", "flax": "compute", "paddle": "identity", "onnx": "compute"}


@pytest.mark.parametrize("name", ONE_VALUE)
def test_one_value_per_channel(lib, name):
    """Never NaN: y is the offset and the variance 0, or x passes through, as the framework has it."""
    params = anybn.Params(lib.array([2, 2]), lib.array([5, 7]))
    x = lib.array([[3, 4]])
    y, new = anybn.batch_norm(x, params, anybn.init(2, xp=lib.xp)[1], training=True, semantics=name)
    decay = anybn.PRESETS[name].decay
    if ONE_VALUE[name] == "identity":
        np.testing.assert_array_equal(lib.numpy(y), [[3, 4]])
        np.testing.assert_array_equal(lib.numpy(new.var), [1, 1])
    else:
        np.testing.assert_array_equal(lib.numpy(y), [[5, 7]])
        np.testing.assert_allclose(lib.numpy(new.var), [decay, decay], rtol=1e-6)


@pytest.mark.parametrize("name", sorted(anybn.PRESETS))
def test_empty_batch(lib, name):
    """An empty batch gives an empty y and leaves statistics that are finite; the step is counted as torch does."""
    params, state = anybn.init(3, xp=lib.xp, semantics=name)
    x = lib.xp.zeros((0, 3), dtype=lib.xp.float32)
    y, new = anybn.batch_norm(x, params, state, training=True, semantics=name)
    assert tuple(y.shape) == (0, 3)
    np.testing.assert_array_equal(np.isfinite(lib.numpy(new.var)), True)
    if name == "torch":
        np.testing.assert_array_equal(lib.numpy(new.var), [1, 1, 1])
        assert int(new.steps) == 1


def test_nothing_passed_is_changed(lib):
    """x, the parameters and the state are the same after a call."""
    x, scale, mean = data((6, 3)), np.array([1, 2, 3.0]), np.array([0.1, 0.2, 0.3])
    arrays = [lib.array(v) for v in (x, scale, mean, mean + 1)]
    before = [lib.numpy(a).copy() for a in arrays]
    state = anybn.RunningStats(*arrays[2:])
    for training in (True, False):
        anybn.batch_norm(arrays[0], anybn.Params(arrays[1]), state, training=training)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(lib.numpy(array), old)


def test_reduce_sees_and_replaces_the_moments(lib):
    """A reducer that merges this half of the batch with the other gives the whole batch's result."""
    x = data((8, 3))
    whole, want = anybn.batch_norm(lib.array(x), None, anybn.init(3, xp=lib.xp)[1], training=True)
    _, mean, var = reference(x, 1)

    def merged(moments):
        assert int(moments.count) == 4
        return anybn.Moments(8, lib.array(mean), lib.array(8 * var))

    half, new = anybn.batch_norm(lib.array(x[:4]), None, anybn.init(3, xp=lib.xp)[1], training=True, reduce=merged)
    np.testing.assert_allclose(lib.numpy(half), lib.numpy(whole)[:4], atol=1e-6)
    np.testing.assert_allclose(lib.numpy(new.var), lib.numpy(want.var), rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"weights": [1, 2, 0, 1, 1, 3]}], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", ["torch", "keras_renorm", "equinox_ema", "einx_first_call", "haiku"])
def test_a_reducer_for_one_process_changes_nothing(lib, name, options):
    """With nobody to merge with, reduce= gives what a call without it gives, in every way of training."""
    options = {key: lib.array(value) for key, value in options.items()}
    x = data((6, 3, 2))
    params, one = anybn.init(3, xp=lib.xp, semantics=name)
    other = one
    for k in (1, 2):
        y, one = anybn.batch_norm(lib.array(k * x), params, one, training=True, semantics=name, **options)
        z, other = anybn.batch_norm(
            lib.array(k * x), params, other, training=True, semantics=name, reduce=lambda own: own, **options
        )
        np.testing.assert_allclose(lib.numpy(z), lib.numpy(y), atol=2e-6)
    np.testing.assert_allclose(lib.numpy(other.mean), lib.numpy(one.mean), rtol=2e-6)
    np.testing.assert_allclose(lib.numpy(other.var), lib.numpy(one.var), rtol=2e-6)


def test_an_empty_shard_takes_part(lib):
    """A process without data sends count 0 and gets an empty y, and the others' statistics."""
    x = data((8, 3))
    sent = []
    anybn.batch_norm(lib.array(x), training=True, reduce=lambda own: sent.append(own) or own)
    empty = lib.xp.zeros((0, 3), dtype=lib.xp.float32)
    state = anybn.init(3, xp=lib.xp)[1]
    y, new = anybn.batch_norm(empty, None, state, training=True, reduce=lambda own: anybn.merge(own, sent[0]))
    _, want = anybn.batch_norm(lib.array(x), None, state, training=True)
    assert tuple(y.shape) == (0, 3)
    np.testing.assert_allclose(lib.numpy(new.var), lib.numpy(want.var), rtol=1e-6)


def test_large_input_whose_channels_lie_apart(lib):
    """Two channel axes with another between them, and more values than fit one block."""
    x = data((40, 5, 60, 7))
    expected, mean, _ = reference(x, (1, 3))
    state = anybn.init(mean.shape, xp=lib.xp)[1]
    y, _ = anybn.batch_norm(lib.array(x), None, state, training=True, axis=(1, 3))
    np.testing.assert_allclose(lib.numpy(y), expected, atol=1e-5)


def test_layer_holds_the_state(lib):
    """A training call moves the layer's state one step, evaluation leaves it."""
    layer = anybn.BatchNorm(3, xp=lib.xp, semantics="keras", axis=-1)
    x = lib.array(data((6, 3)))
    layer(x, training=True)
    held = layer.state
    assert int(held.steps) == 1
    layer(x, training=False)
    assert layer.state is held
    assert "keras" in repr(layer)
