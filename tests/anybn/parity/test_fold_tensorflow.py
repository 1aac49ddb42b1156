"""Folding in TensorFlow's and Flax's weight layouts gives what their layers give together."""

import numpy as np
import pytest

import anybn
from anybn import Params, RunningStats

pytestmark = pytest.mark.filterwarnings("ignore")  # other projects' deprecations, not ours

EPS = 1e-3


def batch_norm(channels, seed=1):
    """Parameters and statistics that are far from the identity, in float64."""
    rng = np.random.default_rng(seed)
    params = Params(rng.normal(1, 0.5, channels), rng.normal(0, 1, channels))
    return params, RunningStats(rng.normal(0, 2, channels), rng.uniform(0.1, 4, channels))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture(scope="module")
def tf():
    """TensorFlow, or a skip."""
    return pytest.importorskip("tensorflow", reason="the layers are TensorFlow's")


def normalised(tf, x, params, stats):
    """Batch norm in evaluation by TensorFlow itself."""
    return tf.nn.batch_normalization(x, stats.mean, stats.var, params.offset, params.scale, EPS)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("place", ["before", "after"])
def test_conv2d(tf, place, groups):
    """A convolution, HWIO, grouped too; before it without padding."""
    x, kernel = normal(2, 7, 6, 4), normal(3, 2, 4 // groups, 6)
    params, stats = batch_norm(6 if place == "after" else 4)
    padding = "SAME" if place == "after" else "VALID"

    def convolve(x, kernel):
        return tf.nn.conv2d(x, kernel, strides=2, padding=padding)

    folded = anybn.fold_conv(
        kernel, None, params, stats, place=place, layout="HWIO", eps=EPS, groups=groups, padding_mode="none"
    )
    if place == "after":
        want = normalised(tf, convolve(x, kernel), params, stats)
    else:
        want = convolve(normalised(tf, x, params, stats), kernel)
    np.testing.assert_allclose(convolve(x, folded.weight) + folded.bias, want, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("place", ["before", "after"])
def test_depthwise_conv2d(tf, place):
    """A depthwise convolution, HWIM, multiplier 3."""
    x, kernel = normal(2, 7, 6, 4), normal(3, 2, 4, 3)
    params, stats = batch_norm(12 if place == "after" else 4)

    def convolve(x, kernel):
        return tf.nn.depthwise_conv2d(x, kernel, strides=[1, 1, 1, 1], padding="VALID")

    folded = anybn.fold_conv(kernel, None, params, stats, place=place, layout="HWIM", eps=EPS, padding_mode="none")
    if place == "after":
        want = normalised(tf, convolve(x, kernel), params, stats)
    else:
        want = convolve(normalised(tf, x, params, stats), kernel)
    np.testing.assert_allclose(convolve(x, folded.weight) + folded.bias, want, rtol=1e-10, atol=1e-11)


def test_conv2d_transpose(tf):
    """A transposed convolution, HWOI."""
    x, kernel = normal(2, 4, 5, 3), normal(3, 2, 6, 3)
    params, stats = batch_norm(6)

    def convolve(kernel):
        return tf.nn.conv2d_transpose(x, kernel, output_shape=(2, 8, 10, 6), strides=2, padding="SAME")

    folded = anybn.fold_conv(kernel, None, params, stats, place="after", layout="HWOI", eps=EPS, transposed=True)
    want = normalised(tf, convolve(kernel), params, stats)
    np.testing.assert_allclose(convolve(folded.weight) + folded.bias, want, rtol=1e-10, atol=1e-11)


def test_conv3d_and_conv1d(tf):
    """One and three dimensions."""
    params, stats = batch_norm(5)
    for run, layout, x, kernel in (
        (tf.nn.conv1d, "WIO", normal(2, 9, 3), normal(4, 3, 5)),
        (tf.nn.conv3d, "DHWIO", normal(2, 4, 5, 6, 3), normal(2, 3, 2, 3, 5)),
    ):
        strides = 1 if layout == "WIO" else [1] * 5
        folded = anybn.fold_conv(kernel, None, params, stats, place="after", layout=layout, eps=EPS)
        want = normalised(tf, run(x, kernel, strides, "SAME"), params, stats)
        np.testing.assert_allclose(run(x, folded.weight, strides, "SAME") + folded.bias, want, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("place", ["before", "after"])
def test_dense(tf, place):
    """A dense layer, IO."""
    x, kernel, bias = normal(5, 4), normal(4, 6), normal(6)
    params, stats = batch_norm(6 if place == "after" else 4)
    folded = anybn.fold_linear(kernel, bias, params, stats, place=place, layout="IO", eps=EPS)
    if place == "after":
        want = normalised(tf, tf.matmul(x, kernel) + bias, params, stats)
    else:
        want = tf.matmul(normalised(tf, x, params, stats), kernel) + bias
    np.testing.assert_allclose(x @ folded.weight + folded.bias, want, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("transposed", [False, True])
def test_flax(transposed):
    """Flax keeps HWIO for transposed convolutions too, and groups as feature_group_count."""
    nn = pytest.importorskip("flax.linen", reason="the layers are Flax's")
    jnp = pytest.importorskip("jax.numpy", reason="the layers are Flax's")
    groups = 1 if transposed else 2
    x, kernel, bias = (one.astype(np.float32) for one in (normal(2, 5, 6, 4), normal(3, 2, 4 // groups, 6), normal(6)))
    params, stats = batch_norm(6)
    layer = nn.ConvTranspose(6, (3, 2), strides=(2, 2)) if transposed else nn.Conv(6, (3, 2), feature_group_count=2)

    def convolve(kernel, bias):
        return layer.apply({"params": {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}}, jnp.asarray(x))

    bn = nn.BatchNorm(use_running_average=True, epsilon=EPS)
    trees = {
        "params": {"scale": params.scale, "bias": params.offset},
        "batch_stats": {"mean": stats.mean, "var": stats.var},
    }
    want = bn.apply(trees, convolve(kernel, bias))
    folded = anybn.fold_conv(
        kernel, bias, params, stats, place="after", layout="HWIO", eps=EPS, groups=groups, transposed=transposed
    )
    np.testing.assert_allclose(convolve(folded.weight, folded.bias), want, rtol=2e-5, atol=2e-5)
