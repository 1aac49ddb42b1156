"""What of anybn needs no array library: plans, presets, messages. These tests run where none is installed."""

import pickle

import pytest

import anybn


@pytest.mark.parametrize(
    ("shape", "axis", "reduce", "param_shape", "count"),
    [
        ((8, 3), 1, (0,), (3,), 8),
        ((8, 3, 4, 5), 1, (0, 2, 3), (3,), 160),
        ((8, 4, 5, 3), -1, (0, 1, 2), (3,), 160),
        ((8, 3, 4, 5), (1, 3), (0, 2), (3, 5), 32),
        ((0, 3), 1, (0,), (3,), 0),
    ],
)
def test_a_plan_names_what_is_averaged(shape, axis, reduce, param_shape, count):
    """All axes but the channel axes are reduced; count is the number of values per channel."""
    plan = anybn.plan(shape, axis)
    assert (plan.reduce, plan.param_shape, plan.count) == (reduce, param_shape, count)


def test_a_plan_is_made_once():
    """The same shape and axis give the same object, and a plan survives pickling."""
    plan = anybn.plan((8, 3, 4), 1)
    assert anybn.plan((8, 3, 4), 1) is plan
    assert pickle.loads(pickle.dumps(plan)) == plan


@pytest.mark.parametrize(("shape", "axis"), [((8,), 0), ((8, 3), 2), ((8, 3), (1, 1)), ((8, 3), (0, 1))])
def test_a_plan_refuses_what_cannot_be_averaged(shape, axis):
    """Rank 1, an axis out of range, one named twice, and nothing left to average are errors that say what was got."""
    with pytest.raises(anybn.AnybnError, match="got"):
        anybn.plan(shape, axis)


@pytest.mark.parametrize(
    ("name", "decay", "weighs"),
    [("torch", 0.9, "new"), ("keras", 0.99, "old"), ("tf1", 0.99, "old"), ("tf1_fused", 0.99, "old")],
)
def test_decay_is_the_weight_of_the_old_value(name, decay, weighs):
    """PyTorch's momentum=0.1 and Keras' momentum=0.99 are told apart: decay means the old value's weight in both."""
    preset = anybn.preset(name)
    assert preset.decay == pytest.approx(decay)
    assert preset.argument_weighs == weighs


def test_an_unknown_preset_is_answered_with_the_nearest():
    """A misspelt name is an error that shows the right one."""
    with pytest.raises(anybn.BadValue, match="'keras'"):
        anybn.preset("kears")


def test_a_list_is_no_array():
    """Handed a list, batch_norm says what to do, and imports nothing to find out."""
    with pytest.raises(anybn.BadType, match="asarray"):
        anybn.batch_norm([[1.0, 2.0]], None, None, training=True)


def test_training_has_no_default():
    """Whoever forgets the flag gets an error, not a silent choice."""
    with pytest.raises(TypeError, match="training"):
        anybn.batch_norm([[1.0, 2.0]], None, None)
