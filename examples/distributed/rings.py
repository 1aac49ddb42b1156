"""A ring around a disc, far from the origin: a small problem that needs both layers, and a batch norm to begin with."""

import numpy as np

BATCH, STEPS, HIDDEN, RATE = 200, 60, 32, 0.5


def batches():
    """STEPS batches of BATCH points in the plane with their class, the same in every process."""
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        label = rng.integers(0, 2, BATCH)
        angle = rng.uniform(0, 2 * np.pi, BATCH)
        radius = rng.normal(1 + 2 * label, 0.2)
        x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) * 20 + 100
        yield x.astype(np.float32), label


def weights():
    """Starting values of both affine layers, the same in every process."""
    rng = np.random.default_rng(1)
    first = rng.normal(0, 1, (2, HIDDEN)).astype(np.float32)
    second = rng.normal(0, HIDDEN**-0.5, (HIDDEN, 2)).astype(np.float32)
    return first, second, np.zeros(2, np.float32)


def shard(rank, size):
    """Rows of one process: uneven on purpose, the first process gets the rest."""
    share = BATCH // size - 3 * (size > 1)
    start = BATCH - share * (size - rank) if rank else 0
    return slice(start, start + share if rank else BATCH - share * (size - 1))
