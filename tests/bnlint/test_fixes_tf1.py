"""Fixes of TensorFlow 1's rules where they must hold back, and where the layout is not that of the examples."""

import pytest

from bnlint.examples import found_in, repaired
from bnlint.rules.table import RULES

CONSTRUCTOR = """\
import tensorflow as tf


def build(x, y, is_training, adam):
    h = tf.layers.batch_normalization(tf.layers.dense(x, 8), training=is_training)
    loss = tf.losses.mean_squared_error(y, h)
    if adam:
        # the updates first
        with tf.control_dependencies(
            tf.get_collection(tf.GraphKeys.UPDATE_OPS)  # all of them
        ):
            optimizer = tf.train.AdamOptimizer(1e-3)
        train_op = optimizer.minimize(  # the step
            loss,
        )
        {more}
    return train_op
"""


def test_a_train_op_below_the_block_gets_its_dependencies_with_comments_and_layout_kept():
    """The statement moves under a block of its own; a second repair changes nothing."""
    text = CONSTRUCTOR.format(more="print(train_op)")
    new = repaired({"a.py": text}, RULES, "BN302")[0]["a.py"]
    assert "        train_op = optimizer.minimize(  # the step\n" in text
    assert "            train_op = optimizer.minimize(  # the step\n" in new
    assert new.count("tf.control_dependencies(") == 2
    assert "# the updates first" in new
    assert not [code for _, _, code in found_in({"a.py": new}, RULES) if code.startswith("BN30")]
    assert repaired({"a.py": new}, RULES, "BN302")[0]["a.py"] == new


def test_a_train_op_somewhere_else_is_left_to_people():
    """What stands between may matter."""
    text = CONSTRUCTOR.format(more="pass").replace("        train_op =", "        loss = loss * 2\n        train_op =")
    assert "BN302" in {code for _, _, code in found_in({"a.py": text}, RULES)}
    assert repaired({"a.py": text}, RULES, "BN302")[0]["a.py"] == text


PREBUILT = """\
import tensorflow as tf
from tensorflow.contrib.layers import batch_norm


def norm(x, training):
    train = batch_norm(
        x,
        updates_collections=None,
        is_training=True, scope="bn")
    {between}
    test = batch_norm(x, updates_collections=None, is_training=False, reuse=True, scope="bn")
    return tf.cond(training, lambda: train, lambda: {other})
"""


def test_calls_move_into_their_branches_with_their_layout():
    """Comments between stay."""
    text = PREBUILT.format(between="# now for the test", other="test")
    new = repaired({"a.py": text}, RULES, "BN310")[0]["a.py"]
    assert "lambda: batch_norm(\n        x,\n" in new
    assert "train = " not in new
    assert "BN310" not in {code for _, _, code in found_in({"a.py": new}, RULES)}
    assert repaired({"a.py": new}, RULES, "BN310")[0]["a.py"] == new


@pytest.mark.parametrize(
    ("between", "other"),
    [
        ("print(train)", "test"),  # read twice
        ("x = x + 1", "test"),  # the calls read another x
        ("pass", "unknown"),  # a branch from elsewhere
    ],
)
def test_what_cannot_move_as_it_stands_stays(between, other):
    """Advice only: the finding is there, the text is not touched."""
    text = PREBUILT.format(between=between, other=other)
    assert "BN310" in {code for _, _, code in found_in({"a.py": text}, RULES)}
    assert repaired({"a.py": text}, RULES, "BN310")[0]["a.py"] == text
