"""The public functions: they check, plan, choose a kernel, run it and move the running statistics."""

from anybn.functional.backward import batch_norm_backward
from anybn.functional.fold import fold_conv, fold_linear
from anybn.functional.norm import batch_norm, init, why

__all__ = ["batch_norm", "batch_norm_backward", "fold_conv", "fold_linear", "init", "why"]
