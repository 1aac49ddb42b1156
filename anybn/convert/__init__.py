"""Carry a batch norm from one framework to another: parameters, statistics and semantics.

Plain mappings of arrays go in and come out; no framework is imported. ``from_…`` gives a `Snapshot`, ``to_…`` takes one
and gives an `Exported`, whose first three fields ``from_…`` takes again.
"""

from anybn.convert._record import Exported, Snapshot
from anybn.convert.contrib import from_contrib, to_contrib
from anybn.convert.equinox import from_equinox, to_equinox
from anybn.convert.find import find_layers
from anybn.convert.flax import from_flax, to_flax
from anybn.convert.haiku import from_haiku, to_haiku
from anybn.convert.keras import by_order, from_keras, to_keras
from anybn.convert.onnx import from_onnx, to_onnx
from anybn.convert.paddle import from_paddle, to_paddle
from anybn.convert.saved import from_mapping, load, save, to_mapping
from anybn.convert.torch import from_torch, to_torch

__all__ = [
    "Exported",
    "Snapshot",
    "by_order",
    "find_layers",
    "from_contrib",
    "from_equinox",
    "from_flax",
    "from_haiku",
    "from_keras",
    "from_mapping",
    "from_onnx",
    "from_paddle",
    "from_torch",
    "load",
    "save",
    "to_contrib",
    "to_equinox",
    "to_flax",
    "to_haiku",
    "to_keras",
    "to_mapping",
    "to_onnx",
    "to_paddle",
    "to_torch",
]
