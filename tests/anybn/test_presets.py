"""One training step of every preset gives the numbers that the original gives, on every array library.

The expected numbers come from runs of the originals (versions in docs), on this vector; thirds apart they are exact.
"""

import numpy as np
import pytest

import anybn

X = np.array([[1, -2, 0.5], [3, 0, 0.25], [5, 4, -1], [7, 6, 2.25]], dtype=np.float32)
MEAN = np.array([4, 2, 0.5])
BIASED = np.array([5, 10, 1.34375])
UNBIASED = BIASED * 4 / 3
Y_ROWS = {
    1e-5: ([-1.3416394, -1.2649105, 0], [1.3416394, 1.2649105, 1.5096532]),
    2e-5: ([-1.3416381, -1.2649099, 0], [1.3416381, 1.2649099, 1.5096476]),
    1e-3: ([-1.3415066, -1.2648479, 0], [1.3415066, 1.2648480, 1.5090973]),
}
RENORMED = [1.0238787, 1.0427163, 1.0021951]

# preset: (running mean, running variance, eps) after one step from mean 0 and variance 1
ONE_STEP = {
    "torch": (0.1 * MEAN, [1.5666666, 2.2333333, 1.0791667], 1e-5),
    "torch_cumulative": (MEAN, UNBIASED, 1e-5),
    "contrib_fused": (0.001 * MEAN, [1.0056666, 1.0123334, 1.0007917], 1e-3),
    "contrib": (0.001 * MEAN, [1.0039999, 1.0089999, 1.0003438], 1e-3),
    "contrib_batch_weights": (0.001 * MEAN, [1.0039999, 1.0089999, 1.0003438], 1e-3),
    "contrib_fused_zero_debias": (MEAN, [1.0056666, 1.0123334, 1.0007917], 1e-3),
    "contrib_zero_debias": (MEAN, [1.0039999, 1.0089999, 1.0003438], 1e-3),
    "tf1": (0.01 * MEAN, [1.04, 1.09, 1.0034375], 1e-3),
    "tf1_fused": (0.01 * MEAN, [1.0566666, 1.1233332, 1.0079167], 1e-3),
    "tf1_fused_eps_floor": (0.01 * MEAN, [1.0566666, 1.1233332, 1.0079167], 1e-3),
    "tf1_renorm": (0.01 * MEAN, RENORMED, None),
    "tf1_virtual": (0.01 * MEAN, [1.04, 1.09, 1.0034375], 1e-3),
    "keras2": (0.01 * MEAN, [1.04, 1.09, 1.0034375], 1e-3),
    "keras2_fused": (0.01 * MEAN, [1.0566667, 1.1233333, 1.0079167], 1e-3),
    "keras2_renorm": (0.01 * MEAN, RENORMED, None),
    "keras2_virtual": (0.01 * MEAN, [1.04, 1.09, 1.0034375], 1e-3),
    "keras": (0.01 * MEAN, [1.04, 1.09, 1.0034375], 1e-3),
    "keras_all_masked_decays": (0.01 * MEAN, [1.04, 1.09, 1.0034375], 1e-3),
    "keras_renorm": (0.01 * MEAN, RENORMED, None),
    "keras_2_3": (0.01 * MEAN, [1.0566889, 1.1233778, 1.0079226], 1e-3),
    "keras_2_3_double_bessel": (0.01 * MEAN, [1.0789186, 1.1678370, 1.0138968], 1e-3),
    "keras_2_2": (MEAN, [6.6688957, 13.3377914, 1.7922657], 1e-3),
    "keras_2_2_double_bessel": (MEAN, [8.8918610, 17.7837219, 2.3896880], 1e-3),
    "flax": (0.01 * MEAN, [1.04, 1.09, 1.0034375], 1e-5),
    "haiku": (MEAN, [5, 10, 1.3437501], 1e-5),
    "equinox_ema": (MEAN, BIASED, 1e-5),
    "equinox_batch": (MEAN, BIASED, 1e-5),
    "equinox_batch_divided_var": (0.01 * MEAN, [1.04, 1.09, 1.0034375], 1e-5),
    "onnx": (0.1 * MEAN, [1.4, 1.9, 1.034375], 1e-5),
    "onnx_14": (0.1 * MEAN, [1.4, 1.9, 1.034375], 1e-5),
    "onnx_9": (0.1 * MEAN, [1.4, 1.9, 1.034375], 1e-5),
    "onnx_reference_9": (0.1 * MEAN, [1.4, 1.9, 1.034375], 1e-5),
    "mxnet": (0.1 * MEAN, [1.4, 1.9, 1.034375], 1e-5),
    "mxnet_nd": (0.1 * MEAN, [1.4, 1.9, 1.034375], 1e-3),
    "mxnet_nd_fix_gamma": (0.1 * MEAN, [1.4, 1.9, 1.034375], 1e-3),
    "paddle": (0.1 * MEAN, [1.4, 1.9, 1.034375], 1e-5),
    "mlx": (0.1 * MEAN, [1.5666666, 2.2333333, 1.0791667], 1e-5),
    "mlx_biased": (0.1 * MEAN, [1.4, 1.9, 1.034375], 1e-5),
    "chainer": (0.1 * MEAN, [1.5666667, 2.2333333, 1.0791667], 2e-5),
    "chainer_finetune": (MEAN, UNBIASED, 2e-5),
    "einx": (0.01 * MEAN, [1.04, 1.09, 1.0034375], 1e-5),
    "einx_first_call": ([0, 0, 0], [1, 1, 1], None),
    "cudnn": (MEAN, UNBIASED, 1e-5),
    "cudnn_cumulative": (MEAN, UNBIASED, 1e-5),
    "onednn": (MEAN, BIASED, 1e-5),
}


def steps(lib, semantics, *batches, layout="2d", **options):
    """Train on the batches one after the other; the last y and the state, as NumPy."""
    params, state = anybn.init(3, xp=lib.xp, semantics=semantics)
    for batch in batches:
        x = np.asarray(batch, dtype=np.float32)
        x = x.reshape(2, 2, 1, 3).transpose(0, 3, 1, 2) if layout == "4d" else x
        y, state = anybn.batch_norm(lib.array(x), params, state, training=True, semantics=semantics, **options)
    return lib.numpy(y), lib.numpy(state.mean), lib.numpy(state.var), state


def test_every_preset_is_measured():
    """No preset without its numbers."""
    assert set(ONE_STEP) == set(anybn.PRESETS)


@pytest.mark.parametrize("name", ONE_STEP)
def test_one_step(lib, name):
    """Running mean, running variance and y after one step are the original's."""
    mean, var, eps = ONE_STEP[name]
    y, new_mean, new_var, _ = steps(lib, name, X)
    np.testing.assert_allclose(new_mean, mean, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(new_var, var, rtol=2e-6)
    if eps is not None:
        np.testing.assert_allclose(y[[0, 3]], Y_ROWS[eps], rtol=0, atol=3e-7)


@pytest.mark.parametrize("name", ["torch", "keras", "contrib_fused", "flax"])
def test_layouts_agree(lib, name):
    """(N, C, H, W) gives the same statistics as the same values in rows."""
    _, mean, var, _ = steps(lib, name, X, layout="4d")
    np.testing.assert_allclose(mean, ONE_STEP[name][0], rtol=1e-6)
    np.testing.assert_allclose(var, ONE_STEP[name][1], rtol=1e-6)


def test_cumulative_average(lib):
    """momentum=None is the plain mean over batches, of the unbiased variances."""
    _, mean, var, _ = steps(lib, "torch_cumulative", X, 2 * X)
    np.testing.assert_allclose(mean, [6, 3, 0.75], rtol=1e-6)
    np.testing.assert_allclose(var, [16.666666, 33.333332, 4.4791665], rtol=1e-6)


def test_contrib_debiases_the_mean_only(lib):
    """zero_debias_moving_mean=True at decay 0.9 after x and 2x."""
    _, mean, var, _ = steps(lib, "contrib_fused_zero_debias", X, 2 * X, decay=0.9)
    np.testing.assert_allclose(mean, [6.1052613, 3.0526307, 0.7631577], rtol=1e-6)
    np.testing.assert_allclose(var, [4.0766668, 7.3433337, 1.6879168], rtol=1e-6)


def test_contrib_batch_weights(lib):
    """A weight of 0 takes a sample out of the statistics, not out of y."""
    weights = lib.array([1, 1, 1, 0])
    y, mean, var, _ = steps(lib, "contrib_batch_weights", X, weights=weights)
    np.testing.assert_allclose(mean, [0.003, 0.002 / 3, -1 / 12000], rtol=1e-6)
    np.testing.assert_allclose(var, [1.0016667, 1.0052222, 0.9994305], rtol=1e-6)
    np.testing.assert_allclose(y[0], [-1.2245152, -1.0689591, 0.8879703], rtol=1e-6)


@pytest.mark.parametrize("name", ["tf1_renorm", "keras2_renorm", "keras_renorm"])
def test_renorm_first_step(lib, name):
    """At the first step the correction undoes the normalisation: y = x."""
    y, *_ = steps(lib, name, X)
    np.testing.assert_allclose(y, X, rtol=1e-6, atol=1e-6)


def test_renorm_clipping(lib):
    """rmax=3, rmin=1/3, dmax=5 clip the correction of the second channel only."""
    clipped = anybn.PRESETS["keras_renorm"].but(renorm=anybn.Renorm(rmin=1 / 3, rmax=3.0, dmax=5.0))
    y, *_ = steps(lib, clipped, X)
    np.testing.assert_allclose(y[0], [1, -1.7945437, 0.5], rtol=1e-6)


@pytest.mark.parametrize("name", ["tf1_virtual", "keras2_virtual"])
def test_virtual_batches(lib, name):
    """virtual_batch_size=2: sample i goes to group i mod 2; the groups' biased variances are averaged."""
    y, mean, var, _ = steps(lib, name, X, ghost=2)
    np.testing.assert_allclose(mean, 0.01 * MEAN, rtol=1e-6)
    np.testing.assert_allclose(var, [1.03, 1.08, 0.9978125], rtol=1e-6)
    np.testing.assert_allclose(y[0], [-0.9998751, -0.9999444, 0.9991123], rtol=1e-6)


def test_haiku_second_step(lib):
    """Zero debias of mean and variance (Adam's) after x and 2x."""
    _, mean, var, _ = steps(lib, "haiku", X, 2 * X)
    np.testing.assert_allclose(mean, [6.1052632, 3.0526316, 0.7631579], rtol=1e-6)
    np.testing.assert_allclose(var, [12.8947363, 25.7894726, 3.4654605], rtol=1e-6)


def test_equinox_normalises_by_the_running_statistics(lib):
    """mode="ema" after x and 2x."""
    y, mean, var, _ = steps(lib, "equinox_ema", X, 2 * X)
    np.testing.assert_allclose(mean, [4.04, 2.02, 0.505], rtol=1e-6)
    np.testing.assert_allclose(var, [5.15, 10.3, 1.3840625], rtol=1e-6)
    np.testing.assert_allclose(y[0], [-0.8989305, -1.8757619, 0.4207516], rtol=1e-6)


def test_equinox_divided_variance(lib):
    """mode="batch" as released divides a variance that began at 1: y is about 5 times too small after one step."""
    params, state = anybn.init(3, xp=lib.xp)
    x = lib.array(X)
    _, state = anybn.batch_norm(x, params, state, training=True, semantics="equinox_batch_divided_var")
    y, _ = anybn.batch_norm(x, params, state, training=False, semantics="equinox_batch_divided_var")
    np.testing.assert_allclose(lib.numpy(y)[0, 0], -0.2942, atol=1e-4)
    clean = "equinox_batch"
    _, state = anybn.batch_norm(x, *anybn.init(3, xp=lib.xp), training=True, semantics=clean)
    y, _ = anybn.batch_norm(x, params, state, training=False, semantics=clean)
    np.testing.assert_allclose(lib.numpy(y)[0, 0], -1.3416394, rtol=1e-6)


def test_onnx_reference_blends_in_inference(lib):
    """The reference evaluator of opsets 9 to 13 normalises by a blend even in inference."""
    params, state = anybn.init(3, xp=lib.xp)
    x = lib.array(X)
    y, _ = anybn.batch_norm(x, params, state, training=False, semantics="onnx_reference_9")
    np.testing.assert_allclose(lib.numpy(y)[0, 0], 0.507, atol=1e-3)
    y, _ = anybn.batch_norm(x, params, state, training=False, semantics="onnx")
    np.testing.assert_allclose(lib.numpy(y)[0, 0], 1.0, atol=1e-5)


def test_einx_first_call(lib):
    """The first call leaves x (almost) as it is and keeps 0 and 1; the second is a usual step."""
    y, *_ = steps(lib, "einx_first_call", X)
    np.testing.assert_allclose(y, X, rtol=1e-5)
    y, _, var, _ = steps(lib, "einx_first_call", X, X)
    np.testing.assert_allclose(var, [1.04, 1.09, 1.0034375], rtol=1e-6)
    np.testing.assert_allclose(y[0], Y_ROWS[1e-5][0], atol=3e-7)


def test_mxnet_fix_gamma(lib):
    """fix_gamma=True takes the scale as 1 whatever is passed."""
    scale = lib.array([2, 2, 2])
    x = lib.array(X)
    fixed, _ = anybn.batch_norm(x, anybn.Params(scale), None, training=True, semantics="mxnet_nd_fix_gamma")
    free, _ = anybn.batch_norm(x, anybn.Params(scale), None, training=True, semantics="mxnet_nd")
    np.testing.assert_allclose(lib.numpy(free), 2 * lib.numpy(fixed), rtol=1e-6)


def test_eps_floor(lib):
    """tf 1.15's fused op raises eps 1e-7 to 1.001e-5: -0.7743 where -1.3284 is right, on 1e-3 x."""
    x = lib.array(X * np.float32(1e-3))
    floored, _ = anybn.batch_norm(x, None, None, training=True, semantics="tf1_fused_eps_floor", eps=1e-7)
    exact, _ = anybn.batch_norm(x, None, None, training=True, semantics="tf1_fused", eps=1e-7)
    np.testing.assert_allclose(lib.numpy(floored)[0, 0], -0.7743, atol=1e-4)
    np.testing.assert_allclose(lib.numpy(exact)[0, 0], -1.3284, atol=1e-4)
