"""Measured numbers that decide how kernels cut their work; `benchmarks/thresholds.py` measures them again."""

TILE_BYTES = 512 * 1024
"""Input of one tile of channels: what is summed must still be in the second-level cache when y is computed from it.
Measured on AMD EPYC (1 MiB L2, 32 MiB L3): flat from 256 KiB to 2 MiB."""

PER_THREAD = 1 << 16
"""Numbers below which a second thread costs more than it saves: handing over and waiting take 30 to 60 µs."""

FOLD_BELOW = 512
"""Packed rows of fewer channels than this, or not a multiple of 16, are taken several at a time."""

HUGE_PAGES_FROM = 4 << 20
"""Bytes of a fresh torch tensor from which huge pages are asked for (NumPy asks from the same size)."""
