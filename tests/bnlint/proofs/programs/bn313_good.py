"""The classic Keras GAN: a discriminator of its own, and a combined model in which it is frozen."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
discriminator = keras.Sequential([keras.Input((4,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(1)])
discriminator.compile(loss="mse", optimizer="sgd")
generator = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
noise = keras.Input((2,))
discriminator.trainable = False
combined = keras.Model(noise, discriminator(generator(noise)))
combined.compile(loss="mse", optimizer="sgd")


def measure():
    """How far training moves the discriminator's first weights and its running mean."""
    random = np.random.default_rng(0)
    before = [np.array(w) for w in discriminator.get_weights()]
    for _ in range(10):
        real = random.normal(5, 1, (16, 4)).astype("float32")
        discriminator.trainable = True
        discriminator.train_on_batch(real, np.ones((16, 1), "float32"))
        discriminator.trainable = False
        combined.train_on_batch(random.normal(size=(16, 2)).astype("float32"), np.ones((16, 1), "float32"))
    moved = [np.abs(new - old).max() for new, old in zip(discriminator.get_weights(), before, strict=True)]
    return {"weights": moved[0], "statistics": max(moved[4:6])}
