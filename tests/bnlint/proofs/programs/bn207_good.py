"""A Keras block that is told its mode."""

import numpy as np
from tensorflow import keras

keras.utils.set_random_seed(0)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.bn = keras.layers.BatchNormalization(momentum=0.9)

    def call(self, x, training=None):
        return self.bn(x, training=training)


net = Net()
x = np.random.default_rng(0).normal(5, 3, (64, 4)).astype("float32")


def measure():
    """How far training moves the running mean, and how much a prediction depends on the rest of its batch."""
    net(x, training=False)
    start = net.bn.moving_mean.numpy()
    for _ in range(20):
        net(x, training=True)
    moved = np.abs(net.bn.moving_mean.numpy() - start).max()
    alone, together = net(x[:2], training=False).numpy(), net(x, training=False).numpy()[:2]
    return {"moved": moved, "depends": np.abs(alone - together).max()}
