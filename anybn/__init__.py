"""Batch normalisation, exactly as each framework does it, on any array library.

>>> import numpy as np, anybn
>>> params, state = anybn.init(3, xp=np)
>>> y, state = anybn.batch_norm(np.ones((8, 3), np.float32), params, state, training=True)
"""

from anybn import kernels
from anybn.errors import AnybnError, BadType, BadValue, MissingDependency, SyncError, Unsupported
from anybn.functional import (
    batch_norm,
    batch_norm_backward,
    empty_moments,
    fold_conv,
    fold_linear,
    init,
    merge,
    moments,
    recalibrate,
    variance,
    why,
)
from anybn.layer import BatchNorm
from anybn.plan import Plan, plan
from anybn.semantics import PRESETS, Renorm, Semantics, preset
from anybn.state import Gradients, Moments, Params, RunningStats

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "AnybnError",
    "BadType",
    "BadValue",
    "BatchNorm",
    "Gradients",
    "MissingDependency",
    "Moments",
    "Params",
    "Plan",
    "Renorm",
    "RunningStats",
    "Semantics",
    "SyncError",
    "Unsupported",
    "batch_norm",
    "batch_norm_backward",
    "empty_moments",
    "fold_conv",
    "fold_linear",
    "init",
    "merge",
    "moments",
    "plan",
    "preset",
    "recalibrate",
    "variance",
    "why",
]
