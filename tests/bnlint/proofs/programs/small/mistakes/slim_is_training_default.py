import tf_slim as slim


def infer(x):
    return slim.batch_norm(slim.conv2d(x, 8, 3))
