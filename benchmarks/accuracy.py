"""How far y is from float64, against the mean of the data (standard deviation 1), for every implementation that runs here."""

from importlib.util import find_spec
from typing import Any

import numpy as np

import anybn
from anybn.kernels import use
from benchmarks.cases import EPS, textbook

MEANS = (0.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7)
SHAPES = {"NC": (65536, 4), "NCHW": (16, 8, 32, 32)}


def exact(x: Any) -> Any:
    """y in float64."""
    wide = x.astype(np.float64)
    axes = tuple(i for i in range(x.ndim) if i != 1)
    d = wide - wide.mean(axis=axes, keepdims=True)
    d = d - d.mean(axis=axes, keepdims=True)
    return d / np.sqrt((d * d).mean(axis=axes, keepdims=True) + EPS)


def errors() -> dict[str, dict[str, list[float]]]:
    """Largest absolute error of y per layout and implementation, one per mean."""
    found: dict[str, dict[str, list[float]]] = {}
    for layout, shape in SHAPES.items():
        rows: dict[str, list[float]] = {}
        for mean in MEANS:
            x = (np.random.default_rng(1).standard_normal(shape) + mean).astype(np.float32)
            wanted = exact(x)
            for name, y in _all(x).items():
                error = np.abs(y.astype(np.float64) - wanted).max()
                rows.setdefault(name, []).append(float(error))
        found[layout] = rows
    return found


def _all(x: Any) -> dict[str, Any]:
    ys = {"anybn": anybn.batch_norm(x, training=True)[0], "numpy textbook": textbook(x, 1)}
    with use("portable"):
        ys["anybn portable"] = anybn.batch_norm(x, training=True)[0]
    if find_spec("torch"):
        import torch

        t = torch.from_numpy(x)
        ys["torch"] = torch.nn.functional.batch_norm(t, None, None, training=True, eps=EPS).numpy()
    if find_spec("jax"):
        import jax.numpy as jnp

        axes = tuple(i for i in range(x.ndim) if i != 1)
        there = jnp.asarray(x)
        mean, var = jnp.mean(there, axes, keepdims=True), jnp.var(there, axes, keepdims=True)
        ys["jax"] = np.asarray((there - mean) / jnp.sqrt(var + EPS))
    return ys
