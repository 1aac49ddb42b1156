"""A norm by hand that keeps averages and depends on their update."""

import tensorflow.compat.v1 as tf
from tf1_data import batches, report

tf.disable_v2_behavior()
tf.set_random_seed(0)


def norm(x, is_training):
    mean, var = tf.nn.moments(x, [0])
    moving_mean = tf.get_variable("moving_mean", [4], initializer=tf.zeros_initializer(), trainable=False)
    moving_variance = tf.get_variable("moving_variance", [4], initializer=tf.ones_initializer(), trainable=False)

    def update():
        with tf.control_dependencies(
            [
                tf.assign(moving_mean, 0.9 * moving_mean + 0.1 * mean),
                tf.assign(moving_variance, 0.9 * moving_variance + 0.1 * var),
            ]
        ):
            return tf.identity(mean), tf.identity(var)

    mean, var = tf.cond(is_training, update, lambda: (moving_mean.read_value(), moving_variance.read_value()))
    return tf.nn.batch_normalization(x, mean, var, None, None, 1e-3)


x = tf.placeholder(tf.float32, [None, 4])
y = tf.placeholder(tf.int32, [None])
is_training = tf.placeholder(tf.bool, [])
h = tf.layers.dense(norm(x, is_training), 8, tf.nn.relu)
logits = tf.layers.dense(h, 2)
loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y), tf.float32))

step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for xs, ys in batches(100):
        sess.run(step, {x: xs, y: ys, is_training: True})
    report(sess, tf.global_variables(), accuracy, lambda xs, ys: {x: xs, y: ys, is_training: False})
