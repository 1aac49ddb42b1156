"""A Keras model in a training loop of its own: the layers are never told that they are being trained.

pip install tensorflow-cpu keras && python keras_custom_loop.py
"""

import keras
import numpy as np
import tensorflow as tf


def make_data(seed, count=512):
    """Two classes in eight features, far from zero and on a large scale."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    features = 200 + 50 * rng.standard_normal((count, 8)) + 60 * labels[:, None]
    return features.astype("float32"), labels.astype("int32")


def build():
    return keras.Sequential(
        [
            keras.layers.Input((8,)),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(2),
        ]
    )


def main():
    keras.utils.set_random_seed(0)
    model = build()
    optimizer = keras.optimizers.SGD(0.05)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    for step in range(200):
        x, y = make_data(step, 64)
        with tf.GradientTape() as tape:
            logits = model(x)
            loss = loss_of(y, logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    x, y = make_data(10_000)
    predicted = model(x, training=False).numpy().argmax(1)
    moving_mean = model.layers[0].moving_mean.numpy()
    print(f"moving mean of the first feature: {moving_mean[0]:.2f} (data: {x[:, 0].mean():.2f})")
    print(f"accuracy in evaluation: {(predicted == y).mean():.2f}")


if __name__ == "__main__":
    main()
