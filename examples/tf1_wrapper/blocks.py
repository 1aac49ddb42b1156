"""Building blocks of the network in train.py."""

import tensorflow.compat.v1 as tf


def dense_block(net, units, is_training=False):
    """Dense layer, batch norm, ReLU."""
    net = tf.layers.dense(net, units, use_bias=False)
    net = tf.layers.batch_normalization(net, training=is_training, momentum=0.9)
    return tf.nn.relu(net)
