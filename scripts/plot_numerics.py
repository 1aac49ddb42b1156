"""Measure how far batch norms are from the truth when the mean is large, and draw it.

``--measure`` runs every implementation that is installed and writes ``docs/data/numerics.json``; without it the figure
``docs/images/numerics.svg`` is drawn from that file. The truth is float64 arithmetic on the same float32 data.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "docs/data/numerics.json"
FIGURE = ROOT / "docs/images/numerics.svg"
MEANS = [0.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7]
ROWS, CHANNELS, EPS = 65536, 4, 1e-5


class Answer(NamedTuple):
    """What an implementation says: the biased variance (C,) and y (N, C)."""

    var: Any
    y: Any


def numpy_two_pass(x: np.ndarray) -> Answer:
    """NumPy's own var and mean along axis 0."""
    var = x.var(0)
    return Answer(var, (x - x.mean(0)) / np.sqrt(var + np.float32(EPS)))


def torch_batch_norm(x: np.ndarray) -> Answer:
    """torch.nn.functional.batch_norm on (N, C)."""
    import torch

    mean, var = torch.zeros(CHANNELS), torch.ones(CHANNELS)
    y = torch.nn.functional.batch_norm(torch.as_tensor(x), mean, var, training=True, momentum=1.0, eps=EPS)
    return Answer(var.numpy().astype(np.float64) * (ROWS - 1) / ROWS, y.numpy())


def tensorflow_fused(x: np.ndarray) -> Answer:
    """tf.compat.v1.nn.fused_batch_norm."""
    import tensorflow as tf

    ones, zeros = tf.ones(CHANNELS), tf.zeros(CHANNELS)
    y, _, var = tf.compat.v1.nn.fused_batch_norm(x[:, None, None], ones, zeros, epsilon=EPS, is_training=True)
    return Answer(var.numpy().astype(np.float64) * (ROWS - 1) / ROWS, y.numpy()[:, 0, 0])


def keras_layer(x: np.ndarray) -> Answer:
    """keras.layers.BatchNormalization on the NumPy backend."""
    import keras

    layer = keras.layers.BatchNormalization(momentum=0.0, epsilon=EPS)
    y = layer(x, training=True)
    return Answer(np.asarray(layer.moving_variance), np.asarray(y))


def flax_layer(x: np.ndarray) -> Answer:
    """flax.linen.BatchNorm with its defaults."""
    import flax.linen as nn
    import jax

    layer = nn.BatchNorm(use_running_average=False, momentum=0.0, epsilon=EPS)
    variables = layer.init(jax.random.key(0), x[:2])
    y, moved = layer.apply(variables, x, mutable=["batch_stats"])
    return Answer(np.asarray(moved["batch_stats"]["var"]), np.asarray(y))


def haiku_layer(x: np.ndarray) -> Answer:
    """haiku.BatchNorm."""
    import haiku as hk

    net = hk.transform_with_state(lambda x: hk.BatchNorm(True, True, decay_rate=0.0, eps=EPS)(x, is_training=True))
    params, state = net.init(None, x[:2])
    y, state = net.apply(params, state, None, x)
    return Answer(np.asarray(state["batch_norm/~/var_ema"]["average"])[0], np.asarray(y))


def anybn_on(library: str) -> Callable[[np.ndarray], Answer]:
    """anybn.batch_norm on arrays of this library."""

    def run(x: np.ndarray) -> Answer:
        import importlib

        import anybn

        xp = importlib.import_module(library)
        here = xp.asarray(x)
        y, _ = anybn.batch_norm(here, training=True, eps=EPS)
        return Answer(np.asarray(anybn.variance(anybn.moments(here))), np.asarray(y))

    return run


IMPLEMENTATIONS: dict[str, tuple[str, Callable[[np.ndarray], Answer]]] = {
    "anybn on NumPy": ("numpy", anybn_on("numpy")),
    "anybn on PyTorch": ("torch", anybn_on("torch")),
    "anybn on JAX": ("jax", anybn_on("jax.numpy")),
    "NumPy mean and var": ("numpy", numpy_two_pass),
    "PyTorch (N, C)": ("torch", torch_batch_norm),
    "TensorFlow fused": ("tensorflow", tensorflow_fused),
    "Keras 3 on NumPy": ("keras", keras_layer),
    "Flax": ("flax", flax_layer),
    "Haiku": ("haiku", haiku_layer),
}
DISTRIBUTIONS = ("numpy", "torch", "jax", "tensorflow", "tensorflow-cpu", "keras", "flax", "dm-haiku")


def measure() -> dict[str, Any]:
    """Run everything that is installed on the same data; errors are None where the answer is not finite."""
    os.environ["KERAS_BACKEND"] = "numpy"
    chosen = {name: run for name, (package, run) in IMPLEMENTATIONS.items() if importlib.util.find_spec(package)}
    curves: dict[str, dict[str, list[float | None]]] = {name: {"variance": [], "y": []} for name in chosen}
    noise = np.random.default_rng(1).normal(size=(ROWS, CHANNELS))
    for mean in MEANS:
        x = (noise + mean).astype(np.float32)
        wide = x.astype(np.float64)
        var = wide.var(0)
        y = (wide - wide.mean(0)) / np.sqrt(var + EPS)
        for name, run in chosen.items():
            answer = run(x)
            curves[name]["variance"].append(_worst(np.abs(answer.var - var) / var))
            curves[name]["y"].append(_worst(np.abs(answer.y - y)))
            print(f"{name:20} mean {mean:8g}  variance {curves[name]['variance'][-1]}  y {curves[name]['y'][-1]}")
    data = f"float32(normal(0, 1) + mean), shape ({ROWS}, {CHANNELS}), numpy.random.default_rng(1), eps {EPS:g}"
    return {"data": data, "versions": _versions(), "means": MEANS, "errors": curves}


def _worst(error: np.ndarray) -> float | None:
    return float(f"{error.max():.3g}") if np.isfinite(error).all() else None


def _versions() -> dict[str, str]:
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def draw(measured: dict[str, Any]) -> None:
    """Two panels, one line an implementation; ours thick, an error of exactly 0 on the lower edge."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "anybn", "font.size": 9, "svg.fonttype": "none"})
    import matplotlib.pyplot as plt

    places = [max(mean, 1.0) for mean in measured["means"]]
    floor = 1e-8
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.2), sharex=True)
    titles = {"variance": "relative error of the variance", "y": "absolute error of y (standard deviation 1)"}
    for panel, (key, title) in zip(panels, titles.items(), strict=True):
        for name, errors in measured["errors"].items():
            ours = name.startswith("anybn")
            values = [np.nan if error is None else max(error, floor) for error in errors[key]]
            panel.loglog(
                places, values, label=name, lw=2.4 if ours else 1.0, ls="-" if ours else "--", marker=".", ms=4
            )
        panel.set(title=title, xlabel="mean of the data (the first point is 0)", ylim=(floor, 1e11))
        panel.grid(visible=True, alpha=0.3)
    panels[0].legend(fontsize=7.5, loc="upper left")
    figure.tight_layout()
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    """Measure if asked to, then draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measure", action="store_true", help="run the implementations and rewrite the data first")
    parser.add_argument("--no-figure", action="store_true", help="do not draw (matplotlib is not needed then)")
    options = parser.parse_args()
    if options.measure:
        DATA.parent.mkdir(parents=True, exist_ok=True)
        DATA.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    if not options.no_figure:
        draw(json.loads(DATA.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
