"""A subclassed model, trained by fit()."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras
import numpy as np

keras.utils.set_random_seed(0)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.bn = keras.layers.BatchNormalization(momentum=0.9)
        self.out = keras.layers.Dense(1)

    def call(self, x):
        return self.out(self.bn(x))


x = np.random.default_rng(0).normal(5, 3, (128, 4)).astype("float32")
net = Net()


def measure():
    """How far fit() moves the running mean."""
    net.compile(optimizer="sgd", loss="mse")
    net.fit(x, x[:, :1], epochs=3, verbose=0)
    return {"moved": np.abs(np.asarray(net.bn.moving_mean)).max()}
