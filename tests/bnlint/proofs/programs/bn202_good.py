"""A regression network with batch norm, trained by a loop of its own."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.layers.Dense(8), keras.layers.BatchNormalization(momentum=0.9), keras.layers.Dense(1)])
optimizer = keras.optimizers.SGD(0.001)
x = np.random.default_rng(0).normal(5, 3, (256, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
model(x[:1])


@tf.function
def train_step(images, targets):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(images, training=True) - targets) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))


def measure():
    """How far the running mean has moved, and how well the statistics fit the layer's input."""
    start = model.layers[1].moving_mean.numpy()
    for step in range(60):
        rows = slice(step % 8 * 32, step % 8 * 32 + 32)
        train_step(x[rows], y[rows])
    hidden = model.layers[1](model.layers[0](x)).numpy()
    return {"moved": np.abs(model.layers[1].moving_mean.numpy() - start).max(), "spread": hidden.std(axis=0).max()}
