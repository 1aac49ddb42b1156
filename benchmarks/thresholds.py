"""Measure the numbers of `anybn.kernels.thresholds` again: ``python -m benchmarks.thresholds``."""

import numba
import numpy as np

import anybn
from anybn.kernels import numba_drive
from benchmarks.measure import side_by_side


def tiles() -> None:
    """Time of a training forward against the bytes of a tile."""
    x = np.random.default_rng(0).standard_normal((32, 256, 14, 14), dtype=np.float32)
    for size in (64, 128, 256, 512, 1024, 2048):
        numba_drive.TILE_BYTES = size * 1024
        numba_drive.walk_of.cache_clear()
        times = side_by_side({"forward": lambda: anybn.batch_norm(x, training=True)}, seconds=1)
        print(f"tile {size:5} KiB  {times['forward'].best * 1e3:.3f} ms")


def threads() -> None:
    """Time with one and with two threads against the size."""
    numba_drive.PER_THREAD = 1
    numba_drive.walk_of.cache_clear()
    for channels in (4, 8, 16, 32, 64, 128):
        x = np.random.default_rng(0).standard_normal((16, channels, 32, 32), dtype=np.float32)
        best = []
        for count in (1, 2):
            numba.set_num_threads(count)
            times = side_by_side({"forward": lambda x=x: anybn.batch_norm(x, training=True)}, seconds=1)  # type: ignore[misc]
            best.append(times["forward"].best * 1e3)
        print(f"{x.size:9} numbers  one thread {best[0]:.3f} ms  two {best[1]:.3f} ms")


if __name__ == "__main__":
    tiles()
    threads()
