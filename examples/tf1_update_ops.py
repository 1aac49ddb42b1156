"""A classifier in the style of TensorFlow 1: good while it trains, a coin toss afterwards.

pip install tensorflow-cpu tf_keras && python tf1_update_ops.py
"""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # tf.layers needs tf_keras since TensorFlow 2.16

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()


def make_data(seed, count=512):
    """Two classes in eight features, far from zero and on a large scale."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    features = 20 + 5 * rng.standard_normal((count, 8)) + 6 * labels[:, None]
    return features.astype("float32"), labels.astype("int32")


def build(features, is_training):
    net = tf.layers.batch_normalization(features, training=is_training, momentum=0.9)
    net = tf.layers.dense(net, 16, activation=tf.nn.relu)
    return tf.layers.dense(net, 2)


def main():
    tf.set_random_seed(0)
    features = tf.placeholder(tf.float32, [None, 8])
    labels = tf.placeholder(tf.int32, [None])
    is_training = tf.placeholder(tf.bool, [])

    logits = build(features, is_training)
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    train_op = tf.train.AdamOptimizer(0.01).minimize(loss)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1, output_type=tf.int32), labels), tf.float32))

    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(200):
            x, y = make_data(step, 64)
            session.run(train_op, {features: x, labels: y, is_training: True})
        x, y = make_data(10_000)
        trained = session.run(accuracy, {features: x, labels: y, is_training: True})
        evaluated = session.run(accuracy, {features: x, labels: y, is_training: False})
        moving_mean = next(v for v in tf.global_variables() if "moving_mean" in v.name)
        print(f"moving mean of the first feature: {session.run(moving_mean)[0]:.2f} (data: {x[:, 0].mean():.2f})")
        print(f"accuracy in training mode: {trained:.2f}")
        print(f"accuracy in evaluation: {evaluated:.2f}")


if __name__ == "__main__":
    main()
