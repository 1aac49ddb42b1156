"""The same deep regression; the flag reaches the batch norm in the other file (blocks.py).

pip install tensorflow-cpu tf_keras && python train.py
"""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # tf.layers needs tf_keras since TensorFlow 2.16

import numpy as np
import tensorflow.compat.v1 as tf
from blocks import dense_block

tf.disable_v2_behavior()


def make_data(seed, count=512):
    """A smooth function of eight features that are far from zero."""
    rng = np.random.default_rng(seed)
    features = 30 + 10 * rng.standard_normal((count, 8))
    target = np.sin((features - 30).sum(1) / 20)
    return features.astype("float32"), target.astype("float32")[:, None]


def main():
    tf.set_random_seed(0)
    features = tf.placeholder(tf.float32, [None, 8])
    target = tf.placeholder(tf.float32, [None, 1])
    is_training = tf.placeholder_with_default(False, [])

    net = dense_block(features, 32, is_training)
    net = dense_block(net, 32, is_training)
    output = tf.layers.dense(net, 1)
    loss = tf.losses.mean_squared_error(target, output)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train_op = tf.train.AdamOptimizer(0.003).minimize(loss)

    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(500):
            x, y = make_data(step, 64)
            session.run(train_op, {features: x, target: y, is_training: True})
        x, y = make_data(10_000)
        error = session.run(loss, {features: x, target: y})
        print(f"error in evaluation: {error:.2f} (always guessing the mean: {y.var():.2f})")


if __name__ == "__main__":
    main()
