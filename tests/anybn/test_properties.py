"""Laws that hold for any data: shift, scale, order, layout, and parts against the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import anybn
from anybn import kernels

SHAPES = st.tuples(st.integers(2, 9), st.integers(1, 5), st.integers(1, 4))
DATA = SHAPES.flatmap(lambda s: arrays(np.float64, s, elements=st.floats(-100, 100, width=32)))
ROWS = st.sampled_from(["portable", None])


def norm(x, row=None, axis=1, **options):
    """y in training, without the check for one value that torch's preset has, eps large enough to be tame."""
    options = {"semantics": "keras", **options}
    if row is None:
        return anybn.batch_norm(x, training=True, axis=axis, **options)[0]
    with kernels.use(row):
        return anybn.batch_norm(x, training=True, axis=axis, **options)[0]


@settings(deadline=None, max_examples=60)
@given(DATA, st.integers(-1000, 1000), ROWS)
def test_a_shift_changes_nothing(x, shift, row):
    """Batch norm forgets the mean: y(x + c) = y(x)."""
    np.testing.assert_allclose(norm(x + shift, row), norm(x, row), atol=1e-8)


@settings(deadline=None, max_examples=60)
@given(DATA, st.sampled_from([0.125, 2.0, 1024.0]), ROWS)
def test_a_scale_changes_nothing_without_eps(x, scale, row):
    """At eps = 0, y(a x) = y(x) for a > 0, wherever there is any spread."""
    x = x + np.arange(x.shape[0]).reshape(-1, 1, 1) * 300
    np.testing.assert_allclose(norm(scale * x, row, eps=0.0), norm(x, row, eps=0.0), atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(DATA, st.randoms(use_true_random=False), ROWS)
def test_order_of_samples_changes_nothing(x, random, row):
    """Samples are a set: permuting them permutes y."""
    order = list(range(x.shape[0]))
    random.shuffle(order)
    np.testing.assert_allclose(norm(x[order], row), norm(x, row)[order], atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(DATA, ROWS)
def test_layouts_agree(x, row):
    """Channels last, channels first and channels in front are the same data."""
    y = norm(x, row)
    np.testing.assert_allclose(norm(x.transpose(0, 2, 1), row, axis=-1).transpose(0, 2, 1), y, atol=1e-9)
    np.testing.assert_allclose(norm(x.transpose(1, 0, 2), row, axis=0).transpose(1, 0, 2), y, atol=1e-9)
    np.testing.assert_allclose(norm(np.asfortranarray(x), row), y, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(DATA, st.data())
def test_mask_equals_leaving_out(x, data):
    """What is masked might as well not be there."""
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=x.shape[0], max_size=x.shape[0])))
    mask[0] = True
    np.testing.assert_allclose(norm(x, mask=mask)[mask], norm(x[mask]), atol=1e-8)


@settings(deadline=None, max_examples=40)
@given(DATA, st.integers(1, 5))
def test_a_constant_weight_changes_nothing(x, weight):
    """Only the weights' ratios matter to y."""
    weights = np.full(x.shape[0], float(weight))
    np.testing.assert_allclose(norm(x, weights=weights), norm(x), atol=1e-8)


@settings(deadline=None, max_examples=40)
@given(DATA)
def test_training_with_decay_0_then_evaluation_is_training(x):
    """Evaluated by its own statistics, a batch gives what training gave."""
    params, state = anybn.init(x.shape[1], xp=np, dtype=np.float64, semantics="onednn")
    y, state = anybn.batch_norm(x, params, state, training=True, semantics="onednn", eps=1e-3)
    z, _ = anybn.batch_norm(x, params, state, training=False, semantics="onednn", eps=1e-3)
    np.testing.assert_allclose(y, z, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 70), st.integers(1, 90)),
    st.integers(0, 2**31),
    st.sampled_from([0.0, 1e3, 1e6]),
    st.sampled_from([np.float32, np.float64]),
)
def test_blocks_agree_with_the_plain_core(shape, seed, mean, dtype):
    """The portable forward by blocks gives what the definition gives, for any size, in both precisions."""
    from anybn.kernels import portable

    x = (np.random.default_rng(seed).standard_normal(shape) + mean).astype(dtype)
    wide = x.astype(np.float64)
    center = wide - wide.mean((0, 2), keepdims=True)
    want = center / np.sqrt((center**2).mean((0, 2), keepdims=True) + 1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portable, "_LARGE", 1)
        y = norm(x, "portable")
    np.testing.assert_allclose(y, want, atol=2e-6 if dtype == np.float32 else 1e-8)
