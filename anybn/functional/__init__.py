"""The public functions: they check, plan, choose a kernel, run it and move the running statistics."""

from anybn.functional.backward import batch_norm_backward
from anybn.functional.fold import fold_conv, fold_linear
from anybn.functional.norm import batch_norm, init, why
from anybn.functional.statistics import empty_moments, merge, moments, recalibrate, variance

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "empty_moments",
    "fold_conv",
    "fold_linear",
    "init",
    "merge",
    "moments",
    "recalibrate",
    "variance",
    "why",
]
