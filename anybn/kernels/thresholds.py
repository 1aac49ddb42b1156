"""Measured numbers that decide how kernels cut their work; `benchmarks/thresholds.py` measures them again."""

TILE_BYTES = 4 << 20
"""Input of one tile of channels: what is summed must still be in a cache when y is computed from it, and what is read at a time must be
long enough for the hardware to look ahead. Measured on AMD EPYC (1 MiB L2, 32 MiB L3), (64, 64, 56, 56) and (32, 2048, 7, 7):
15 % and 5 to 14 % faster than with 512 KiB, no difference for (32, 256, 14, 14)."""

PER_THREAD = 1 << 20
"""Numbers that are worth a thread: with other programs on the second core, two threads were slower than one up to 1.6 million numbers
in all, and faster from 3.2 million on."""

FOLD_BELOW = 512
"""Packed rows of fewer channels than this, or not a multiple of 16, are taken several at a time."""

HUGE_PAGES_FROM = 2 << 20
"""Bytes of a fresh torch tensor from which huge pages are asked for: from this size on it can hold one (NumPy asks from twice as many)."""
