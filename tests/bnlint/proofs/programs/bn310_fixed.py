"""Both norms are built before the cond that chooses one."""

import tensorflow.compat.v1 as tf
import tf_slim as slim
from tf1_data import batches, report

tf.disable_v2_behavior()
tf.set_random_seed(0)


def norm(x, is_training):
    return tf.cond(
        is_training,
        lambda: slim.batch_norm(x, decay=0.9, updates_collections=None, is_training=True, scope="bn"),
        lambda: slim.batch_norm(x, decay=0.9, updates_collections=None, is_training=False, reuse=True, scope="bn"),
    )


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
