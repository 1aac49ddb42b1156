"""Whatever computes. Array libraries are known by name in this room only."""

from anybn.kernels.base import Kernel, Op, Request
from anybn.kernels.table import choose, rows, use

__all__ = ["Kernel", "Op", "Request", "choose", "rows", "use"]
