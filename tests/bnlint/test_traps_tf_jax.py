"""Correct programs that look like the mistakes of TensorFlow, Keras and JAX: each was met in real code, each stays silent."""

import pytest

from bnlint.examples import found_in
from bnlint.rules.table import RULES

REGULAR = [rule for rule in RULES if rule.meta.persona == "regular"]

RECALIBRATED = """\
import tensorflow as tf


def net(x, is_training):
    x = tf.contrib.layers.batch_norm(x, is_training=is_training, updates_collections=None)
    return tf.layers.dense(x, 1)


def train(x, y):
    return tf.train.AdamOptimizer().minimize(tf.losses.mean_squared_error(y, net(x, True)))


def recalibrate_then_test(sess, x, saver, path):
    # the statistics are estimated anew before they are used
    saver.restore(sess, path)
    sess.run(net(x, is_training=True))
    return sess.run(net(x, is_training=False))
"""

OUTPUTS = """\
import tensorflow as tf


def build(training):
    x = inputs = tf.keras.Input([32, 32, 3])
    x = tf.keras.layers.BatchNormalization()(x)
    return tf.keras.Model(inputs, x if training else tf.nn.sigmoid(x))


model = build(training=True)


def step(x, y, optimizer):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
"""

INTERPOLATES = """\
import tensorflow as tf

critic = tf.keras.Sequential([tf.keras.layers.Dense(8), tf.keras.layers.LayerNormalization(), tf.keras.layers.Dense(1)])


def penalty(real, fake):
    x = real + tf.random.uniform([8, 1]) * (fake - real)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = critic(x)
    return tf.reduce_mean((tf.norm(tape.gradient(y, x), axis=1) - 1) ** 2)
"""

IN_TRAINABLE = """\
import tensorflow as tf
import tensorflow.contrib.slim as slim

PARAMS = {"updates_collections": None, "is_training": True, "variables_collections": [tf.GraphKeys.TRAINABLE_VARIABLES]}


def train(x, y):
    x = slim.conv2d(x, 8, 3, normalizer_fn=slim.batch_norm, normalizer_params=PARAMS)
    step = tf.train.AdamOptimizer().minimize(tf.losses.mean_squared_error(y, x))
    saver = tf.train.Saver(tf.trainable_variables())
    with tf.Session() as sess:
        sess.run(step)
        saver.save(sess, "net")
"""

KERAS_FUNCTION = """\
import tensorflow as tf
from tensorflow.keras import backend as K
from tensorflow.keras.layers import BatchNormalization, Dense, Input
from tensorflow.keras.models import Model

x = Input([4])
model = Model(x, Dense(1)(BatchNormalization()(x)))
y = K.placeholder([None, 1])
loss = K.mean(K.square(model.output - y))
updates = tf.keras.optimizers.Adam().get_updates(loss, model.trainable_weights)
step = K.function([model.input, y], [loss], updates=updates + model.updates)
"""

VIRTUAL = """\
import tensorflow as tf


class VirtualBatchNorm(object):
    def __init__(self, reference, epsilon=1e-5):
        self.mean, self.square = tf.reduce_mean(reference, [0, 1, 2]), tf.reduce_mean(reference**2, [0, 1, 2])
        self.epsilon = epsilon
        self.count = reference.shape[0]

    def __call__(self, x):
        share = 1.0 / (self.count + 1.0)
        mean = share * tf.reduce_mean(x, [1, 2]) + (1 - share) * self.mean
        square = share * tf.reduce_mean(x**2, [1, 2]) + (1 - share) * self.square
        return (x - mean) / tf.sqrt(self.epsilon + square - mean**2)
"""

APPLIED_IN_COND = """\
import tensorflow as tf
from tensorflow.python.training.moving_averages import assign_moving_average


def norm(x, is_training, decay):
    beta = tf.get_variable("beta", [8])
    mean, variance = tf.nn.moments(x, [0, 1, 2])
    average = tf.train.ExponentialMovingAverage(decay)
    apply = tf.cond(is_training, lambda: average.apply([mean, variance]), lambda: tf.no_op())

    def averaged():
        with tf.control_dependencies([apply]):
            return tf.identity(mean), tf.identity(variance)

    mean, variance = tf.cond(is_training, averaged, lambda: (average.average(mean), average.average(variance)))
    return tf.nn.batch_normalization(x, mean, variance, beta, None, 1e-3)


def own_collection(x, is_training):
    mean, variance = tf.get_variable("mean", [8]), tf.get_variable("variance", [8])
    batch_mean, batch_variance = tf.nn.moments(x, [0, 1, 2])
    for old, new in ((mean, batch_mean), (variance, batch_variance)):
        tf.add_to_collection("resnet_update_ops", assign_moving_average(old, new, 0.9))
    mean, variance = tf.cond(is_training, lambda: (batch_mean, batch_variance), lambda: (mean, variance))
    return tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)
"""

LINEN = """\
from functools import partial

import jax
from flax import linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool = True):
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9)
        return norm()(nn.Dense(8)(x))


class Own(nn.Module):
    @nn.compact
    def __call__(self, x):
        training = self.is_mutable_collection("batch_stats")
        return nn.BatchNorm(use_running_average=not training)(nn.Dense(8)(x))


def init(key, x):
    return Net().init(key, x, train=False)


def generator_step(g_state, d_state, z):
    def loss_fn(params):
        variables = {"params": params, "batch_stats": g_state.batch_stats}
        fake, updates = g_state.apply_fn(variables, z, mutable=["batch_stats"])
        judged = {"params": d_state.params, "batch_stats": d_state.batch_stats}
        score, _ = d_state.apply_fn(judged, fake, mutable=["batch_stats"])  # the critic is not to move here
        return -score.mean(), updates

    (_, updates), grads = jax.value_and_grad(loss_fn, has_aux=True)(g_state.params)
    return g_state.apply_gradients(grads=grads, batch_stats=updates["batch_stats"])
"""

FRESH_COPY = """\
import keras
from keras import layers


def critic():
    return keras.Sequential([layers.Dense(8), layers.BatchNormalization(), layers.Dense(1)])


judge = critic()
judge.compile("adam", "mse")
fixed = keras.models.clone_model(judge)
fixed.trainable = False
z = keras.Input([4])
both = keras.Model(z, fixed(layers.Dense(8)(z)))
both.compile("adam", "mse")


def train(x, y, z):
    for _ in range(10):
        judge.train_on_batch(x, y)
        fixed.set_weights(judge.get_weights())
        both.train_on_batch(z, y)
"""

TRAPS = {
    "statistics that are estimated anew before a test": RECALIBRATED,
    "training= that chooses outputs": OUTPUTS,
    "interpolates of a gradient penalty": INTERPOLATES,
    "averages that are kept among the trainable variables": IN_TRAINABLE,
    "K.function that runs the updates of the model": KERAS_FUNCTION,
    "virtual batch norm": VIRTUAL,
    "averages applied inside a cond, and in a collection of their own": APPLIED_IN_COND,
    "linen: a partial, a mode that is mutable, an init, a critic that must not move": LINEN,
    "a copy of the critic that is frozen": FRESH_COPY,
}


@pytest.mark.parametrize("text", TRAPS.values(), ids=TRAPS)
def test_what_only_looks_like_a_mistake_is_not_reported(text):
    """Nothing that is on by default says anything."""
    assert found_in({"case.py": text}, REGULAR) == []
