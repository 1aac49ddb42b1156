"""Flax (linen and nnx), Haiku and Equinox: layers with a mode or state, the words of their flags, their transforms."""

import re
from functools import lru_cache
from typing import Literal

from bnlint.frameworks.known import BATCH_NORM, DROPOUT

Kind = Literal["norm", "dropout"]

_MODE: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"^(?:flax\.(?:linen|nnx)|haiku|equinox\.nn)\b.*\.BatchNorm$"), "norm"),
    (re.compile(r"^haiku\.nets\.(?:ResNet|MobileNet)\w*$"), "norm"),
    (re.compile(r"^(?:flax\.(?:linen|nnx)|equinox\.nn)\b.*\.Dropout$"), "dropout"),
)
_CONFIGURED: dict[str, Kind] = {BATCH_NORM: "norm", DROPOUT: "dropout"}
GRADIENTS = re.compile(r"^(?:jax|equinox|flax\.nnx|haiku|flax\.linen)\.(?:filter_)?(?:value_and_)?grad$")
# Wrappers that call the function they are given with the same arguments and results.
TRANSPARENT = re.compile(
    r"^(?:jax\.(?:jit|pmap|checkpoint|remat|named_call|block_until_ready)|equinox\.(?:filter_jit|filter_pmap|filter_checkpoint)|"
    r"flax\.nnx\.(?:jit|remat)|functools\.partial|chex\.\w+|jax\.experimental\.pjit\.pjit)$"
)
# Flags that say "train" when True, and flags that say "evaluate" when True.
TRAIN_FLAGS = frozenset({"train", "training", "is_training", "is_train", "train_mode"})
EVAL_FLAGS = frozenset(
    {"use_running_average", "deterministic", "inference", "use_global_stats", "is_eval", "eval_mode"}
)


@lru_cache(maxsize=8192)
def mode_layer(name: str) -> Kind | None:
    """The kind of mode-dependent layer of that full name."""
    if name in _CONFIGURED:
        return _CONFIGURED[name]
    return next((kind for pattern, kind in _MODE if pattern.search(name)), None)
