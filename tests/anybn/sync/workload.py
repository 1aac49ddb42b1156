"""The same uneven work for every engine: shards of a batch (one empty, one of a single sample, some rows masked)."""

from typing import NamedTuple

import numpy as np

SIZES = {2: (7, 5), 4: (6, 0, 1, 9)}
CASES = [(channels, extra) for channels in (1, 3, 4097) for extra in ("plain", "mask", "weights")]


class Work(NamedTuple):
    """A whole batch and the number of its samples in each process; options are those of batch_norm for these rows."""

    x: np.ndarray
    dy: np.ndarray
    options: dict[str, np.ndarray]
    scale: np.ndarray
    offset: np.ndarray
    sizes: tuple[int, ...]

    def shard(self, rank: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """x, dy and options of one process."""
        start = sum(self.sizes[:rank])
        rows = slice(start, start + self.sizes[rank])
        return self.x[rows], self.dy[rows], {name: value[rows] for name, value in self.options.items()}


def work(processes: int, channels: int, extra: str, *, mean: float = 3.0) -> Work:
    """A batch of (N, channels, 2, 3) float32 for so many processes; what counts nothing is NaN."""
    rng = np.random.default_rng(channels)
    sizes = SIZES[processes]
    shape = (sum(sizes), channels, 2, 3)
    x = (rng.standard_normal(shape) + mean).astype(np.float32)
    dy = rng.standard_normal(shape).astype(np.float32)
    seen = rng.random(shape[0]) > 0.3
    seen[0] = True
    weights = (seen * rng.uniform(0.5, 3, shape[0])).astype(np.float32)
    options = {"plain": {}, "mask": {"mask": seen}, "weights": {"weights": weights}}[extra]
    if options:
        x[~seen] = np.nan
    scale, offset = (rng.standard_normal(channels).astype(np.float32) for _ in range(2))
    return Work(x, dy, options, scale, offset, sizes)
