"""Which programs of one repository a finding of TensorFlow 1 is about."""

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

OPS = """\
import tensorflow as tf


def norm(x, training=True):
    return tf.layers.batch_normalization(x, training=training)
"""
MODEL = """\
import tensorflow as tf
from ops import norm


class Model:
    def __init__(self):
        self.x = tf.placeholder(tf.float32, [None, 8])
        self.loss = tf.reduce_mean(self.net(self.x))
        {sample}
        self.step = tf.train.AdamOptimizer().minimize(self.loss)

    def net(self, x, training=True):
        return norm(tf.layers.dense(x, 4), training=training)
"""
SAMPLES = MODEL.format(sample="self.sample = self.net(self.x, training=False)")


def reported(files):
    """Files in which a user sees BN301 with the settings a new project has."""
    return [path for path, _, code in found_in(files, RULES, Config(jobs=-1)) if code == "BN301"]


def test_another_model_of_the_repository_does_not_make_a_mistake():
    """Averages that nothing reads in this program are no mistake because another one reads its own."""
    files = {"ops.py": OPS, "first.py": SAMPLES, "second.py": MODEL.format(sample="self.sample = self.net(self.x)")}
    assert reported(files) == ["first.py"]


def test_a_test_program_makes_one():
    """A program that tests the model in inference mode counts, although it builds the train op as well."""
    files = {"ops.py": OPS, "train.py": MODEL.format(sample="pass"), "test.py": SAMPLES}
    assert "train.py" in reported(files)
