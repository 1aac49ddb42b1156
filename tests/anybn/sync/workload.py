"""The same uneven work for every engine: shards of a batch (one empty, one of a single sample, some rows masked)."""

from typing import NamedTuple

import numpy as np

SIZES = {2: (7, 5), 4: (6, 0, 1, 9)}


class Work(NamedTuple):
    """A whole batch and the number of its samples in each process."""

    x: np.ndarray
    dy: np.ndarray
    mask: np.ndarray | None
    scale: np.ndarray
    offset: np.ndarray
    sizes: tuple[int, ...]

    def shard(self, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """x, dy and mask of one process."""
        start = sum(self.sizes[:rank])
        rows = slice(start, start + self.sizes[rank])
        return self.x[rows], self.dy[rows], None if self.mask is None else self.mask[rows]


def work(processes: int, channels: int, *, masked: bool, mean: float = 3.0) -> Work:
    """A batch of (N, channels, 2, 3) float32 for so many processes."""
    rng = np.random.default_rng(channels)
    sizes = SIZES[processes]
    shape = (sum(sizes), channels, 2, 3)
    x = (rng.standard_normal(shape) + mean).astype(np.float32)
    dy = rng.standard_normal(shape).astype(np.float32)
    mask = rng.random(shape[0]) > 0.3 if masked else None
    if mask is not None:
        mask[0] = True
        x[~mask] = np.nan
    scale, offset = (rng.standard_normal(channels).astype(np.float32) for _ in range(2))
    return Work(x, dy, mask, scale, offset, sizes)


CASES = [(c, masked) for c in (1, 3, 4097) for masked in (False, True)]
