import tf_slim as slim


def infer(x, is_training=False):
    return slim.batch_norm(slim.conv2d(x, 8, 3), is_training=is_training)
