"""Fixes of the Keras rules and of BN301 where they must hold back, and what they leave behind."""

import pytest

from bnlint.examples import found_in, repaired
from bnlint.rules.table import RULES

MODEL = """\
import keras
from keras import layers, ops


{own}class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = {first}
        self.bn = layers.BatchNormalization()

    def call(self, x):  # forward
        h = self.first(
            x,  # the input
        )
        return self.bn(h)


net = Net()
net.compile(loss="mse")
net.fit(ops.ones((8, 4)), ops.ones((8, 4)))
"""
OWN = """\
class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.drop = layers.Dropout(0.5)

    def call(self, x{params}):
        return self.drop(x{given})


"""


@pytest.mark.parametrize(
    ("own", "first"),
    [
        ("", "layers.Dropout(0.5)"),
        ("", "keras.Sequential([layers.Dense(4), layers.Dropout(0.5)])"),
        (OWN.format(params=", training=None", given=", training=training"), "Block()"),
    ],
)
def test_the_mode_is_taken_and_passed_to_every_layer_inside(own, first):
    """One parameter, one keyword for each call that needs it; nothing is left to report, and comments stay."""
    text = MODEL.format(own=own, first=first)
    new = repaired({"a.py": text}, RULES, "BN203")[0]["a.py"]
    assert "def call(self, x, training=None):  # forward" in new
    assert "return self.bn(h, training=training)" in new
    assert new.count("training=training") == text.count("training=training") + 2
    assert "# the input" in new
    assert not {code for *_, code in found_in({"a.py": new}, RULES)} & {"BN203", "BN204"}
    assert repaired({"a.py": new}, RULES, "BN203")[0]["a.py"] == new


def test_a_layer_that_takes_no_mode_is_left_to_people():
    """Keras raises for an argument that ``call`` does not have."""
    text = MODEL.format(own=OWN.format(params="", given=""), first="Block()")
    assert "BN203" in {code for *_, code in found_in({"a.py": text}, RULES)}
    assert repaired({"a.py": text}, RULES, "BN203")[0]["a.py"] == text


GAN = """\
import keras
from keras import layers, ops


class Gan:
    def __init__(self):
        self.critic = keras.Sequential([layers.Dense(4), layers.BatchNormalization()])
        self.critic.compile(loss="mse")
        self.maker = keras.Sequential([layers.Dense(4)])
        noise = keras.Input((2,))
        self.critic.trainable = False
        self.both = keras.Model(noise, self.critic(self.maker(noise)))
        self.both.compile(loss="mse")

    def train(self, steps):
        for _ in range(steps):
            real = self.critic.train_on_batch(ops.ones((4, 4)), ops.ones((4, 1)))  # real
            # made up
            fake = self.critic.train_on_batch(ops.zeros((4, 4)), ops.zeros((4, 1)))
            self.both.train_on_batch(ops.ones((4, 2)), ops.ones((4, 1)))
        return real, fake
"""


def test_each_step_of_a_frozen_model_is_set_free_and_frozen_again():
    """Around both steps of the critic, by the name it has there, and not around the step of both."""
    new = repaired({"a.py": GAN}, RULES, "BN313")[0]["a.py"]
    lines = [line.strip() for line in new.splitlines()]
    steps = [n for n, line in enumerate(lines) if "self.critic.train_on_batch" in line]
    assert [lines[n + 1] for n in steps] == ["self.critic.trainable = False"] * 2
    assert new.count("self.critic.trainable = True") == 2
    assert lines[lines.index("self.both.train_on_batch(ops.ones((4, 2)), ops.ones((4, 1)))") - 1] == lines[steps[0] + 1]
    assert "BN313" not in {code for *_, code in found_in({"a.py": new}, RULES)}
    assert repaired({"a.py": new}, RULES, "BN313")[0]["a.py"] == new


STEP = """\
import tensorflow.compat.v1 as tf1


def build(x, y, is_training):
    h = tf1.layers.batch_normalization(tf1.layers.dense(x, 8), training=is_training)
    loss = tf1.losses.mean_squared_error(y, tf1.layers.dense(h, 1))
    {first}
    return {second}
"""


def test_the_one_train_op_of_a_program_gets_the_updates_by_the_name_of_tensorflow_there():
    """The statement moves under a block; the second time there is nothing to repair."""
    text = STEP.format(first="step = tf1.train.AdamOptimizer().minimize(loss)  # Adam", second="step")
    new = repaired({"a.py": text}, RULES, "BN301")[0]["a.py"]
    assert "    with tf1.control_dependencies(tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)):\n        step = " in new
    assert "# Adam" in new
    assert not [code for *_, code in found_in({"a.py": new}, RULES) if code.startswith("BN30")]
    assert repaired({"a.py": new}, RULES, "BN301")[0]["a.py"] == new


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("one = tf1.train.AdamOptimizer().minimize(loss)", "one, tf1.train.AdamOptimizer().minimize(-loss)"),
        ("steps = [tf1.train.AdamOptimizer().minimize(loss)]", "steps"),
    ],
)
def test_one_of_several_train_ops_and_one_inside_a_list_are_left_to_people(first, second):
    """Which of them runs the updates is not for a linter to say."""
    text = STEP.format(first=first, second=second)
    assert "BN301" in {code for *_, code in found_in({"a.py": text}, RULES)}
    assert repaired({"a.py": text}, RULES, "BN301")[0]["a.py"] == text
