"""Two classes that are easy to tell apart once the inputs are normalised, and far from zero before."""

import json

import numpy as np


def batches(count, size=64, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        labels = rng.integers(0, 2, size)
        points = rng.normal(0, 1, (size, 4)) + np.where(labels, 1.5, -1.5)[:, None]
        yield (40 + 12 * points).astype("float32"), labels.astype("int32")


def report(sess, variables, accuracy, feed):
    """Print the moving statistics, how far evaluation moves them, and the accuracy on batches and on single samples."""
    new = list(batches(8, seed=1))
    measured = {}
    if variables is not None:
        mean, variance = (next(v for v in variables if word in v.name) for word in ("moving_mean", "moving_variance"))
        before = sess.run(mean)
        measured = {"mean": float(abs(before).max()), "variance": float(abs(sess.run(variance) - 1).max())}
    measured["accuracy"] = float(np.mean([sess.run(accuracy, feed(x, y)) for x, y in new]))
    measured["single"] = float(
        np.mean([sess.run(accuracy, feed(x[i : i + 1], y[i : i + 1])) for x, y in new[:1] for i in range(64)])
    )
    if variables is not None:
        measured["drift"] = float(abs(sess.run(mean) - before).max())
    print("MEASURED " + json.dumps(measured))
