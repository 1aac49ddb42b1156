"""Batch norms of all frameworks: how they are named, where momentum and eps stand, and which value the momentum weighs."""

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from anybn.semantics import Semantics


def _preset(name: str) -> "Semantics":
    from anybn.semantics import PRESETS  # imports all of anybn; a run that finds everything in its cache needs nothing

    return PRESETS[name]


class Norm:
    """One batch-norm constructor or function.

    `pattern` matches the full dotted name; `like` names the preset of :mod:`anybn.semantics` whose momentum has the
    same meaning; `momentum` and `eps` are the keywords, `momentum_slot` and `eps_slot` the 0-based positions (None:
    keyword only); `kind` says whether a call makes a layer or normalises at once.
    """

    def __init__(
        self,
        pattern: str,
        like: str,
        *,
        momentum: tuple[str, int | None] = ("momentum", None),
        eps: tuple[str, int | None] = ("eps", None),
        kind: Literal["layer", "function"] = "layer",
        title: str = "",
    ) -> None:
        self.pattern = re.compile(pattern)
        self.like = like
        self.momentum, self.momentum_slot = momentum
        self.eps, self.eps_slot = eps
        self.kind = kind
        self.framework = title or like

    @cached_property
    def weighs(self) -> Literal["old", "new", "none"]:
        """Whether the momentum argument is the weight of the old or of the new value."""
        return _preset(self.like).argument_weighs

    @cached_property
    def default_eps(self) -> float:
        """The framework's own eps."""
        return _preset(self.like).eps

    @cached_property
    def default_momentum(self) -> float:
        """The framework's own default, in its own convention."""
        decay = _preset(self.like).decay or 0.9
        return round(1 - decay, 12) if self.weighs == "new" else decay


_TF = r"^(?:tensorflow|tf_keras|keras|tensorflow_core)\b(?!\.(?:nn|python\.ops)\b)"
_DIM = r"[0-3]?[dD]?"
NORMS: tuple[Norm, ...] = (
    Norm(rf"^(?:torch|apex|oneflow|encoding|sync_batchnorm)\b.*\.(?:_|Sync)?BatchNorm{_DIM}$", "torch",
         momentum=("momentum", 2), eps=("eps", 1), title="PyTorch"),
    Norm(r"^inplace_abn\b.*\.(?:InPlace)?ABN(?:Sync)?$", "torch", momentum=("momentum", 2), eps=("eps", 1), title="PyTorch"),
    Norm(rf"^torch\b.*\.LazyBatchNorm{_DIM}$", "torch", momentum=("momentum", 1), eps=("eps", 0), title="PyTorch"),
    Norm(r"^torch\.(?:nn\.functional\.batch_norm)$", "torch", momentum=("momentum", 6), eps=("eps", 7), kind="function",
         title="PyTorch"),
    Norm(r"^(?:MinkowskiEngine|torchsparse|spconv|torch_geometric)\b.*\.(?:Minkowski)?(?:Sync)?BatchNorm$", "torch",
         momentum=("momentum", 2), eps=("eps", 1), title="PyTorch"),
    Norm(rf"^jittor\b.*\.BatchNorm{_DIM}$", "torch", momentum=("momentum", 2), eps=("eps", 1), title="Jittor"),
    Norm(r"^mlx\.nn\b.*\.BatchNorm$", "mlx", momentum=("momentum", 2), eps=("eps", 1), title="MLX"),
    Norm(rf"{_TF}.*\.layers\b.*\.(?:Sync)?BatchNormalization(?:V[12])?$", "keras", momentum=("momentum", 1),
         eps=("epsilon", 2), title="Keras"),
    Norm(r"^(?:tensorflow|tensorflow_core)\b.*\.layers\b.*\.batch_normalization$", "tf1", momentum=("momentum", 2),
         eps=("epsilon", 3), kind="function", title="tf.layers"),
    Norm(r"^(?:tensorflow\.contrib|tf_slim)\b.*\.batch_norm$", "contrib", momentum=("decay", 1), eps=("epsilon", 4),
         kind="function", title="tf.contrib and slim"),
    Norm(r"^tflearn\b.*\.batch_normalization$", "contrib", momentum=("decay", 4), eps=("epsilon", 3), kind="function",
         title="TFLearn"),
    Norm(r"^tensorlayer\b.*\.BatchNormLayer$", "contrib", momentum=("decay", 1), eps=("epsilon", 2), kind="function",
         title="TensorLayer"),
    Norm(rf"^tensorlayer\b.*\.BatchNorm{_DIM}$", "contrib", momentum=("decay", 0), eps=("epsilon", 1), title="TensorLayer"),
    Norm(r"^flax\.linen\b.*\.BatchNorm$", "flax", momentum=("momentum", 2), eps=("epsilon", 3), title="Flax"),
    Norm(r"^flax\.nnx\b.*\.BatchNorm$", "flax", eps=("epsilon", None), title="Flax"),
    Norm(r"^haiku\b.*\.BatchNorm$", "haiku", momentum=("decay_rate", 2), eps=("eps", 3), title="Haiku"),
    Norm(r"^equinox\.nn\b.*\.BatchNorm$", "equinox_batch", eps=("eps", 2), title="Equinox"),
    Norm(r"^paddle\.nn\b(?!\.functional).*\.(?:BatchNorm[123]D|SyncBatchNorm)$", "paddle", momentum=("momentum", 1),
         eps=("epsilon", 2), title="Paddle"),
    Norm(r"^paddle(?:\.nn|\.fluid\.dygraph(?:\.nn)?)\.BatchNorm$", "paddle", momentum=("momentum", 3), eps=("epsilon", 4),
         title="Paddle"),
    Norm(r"^paddle\.nn\.functional\.batch_norm$", "paddle", momentum=("momentum", 6), eps=("epsilon", 7), kind="function",
         title="Paddle"),
    Norm(r"^paddle\.(?:fluid\.layers|static\.nn)\.batch_norm$", "paddle", momentum=("momentum", 3), eps=("epsilon", 4),
         kind="function", title="Paddle"),
    Norm(r"^mindspore\b.*\.(?:Sync)?BatchNorm[123]?d?$", "paddle", momentum=("momentum", 2), eps=("eps", 1),
         title="MindSpore"),
    Norm(r"^mxnet\b.*\.gluon\b.*\.(?:Sync)?BatchNorm$", "mxnet", momentum=("momentum", 1), eps=("epsilon", 2),
         title="MXNet"),
    Norm(r"^mxnet\.(?:sym|symbol|nd|ndarray)\b.*\.BatchNorm$", "mxnet_nd", kind="function", title="MXNet"),
    Norm(r"^chainer\.links\b.*\.BatchNormalization$", "chainer", momentum=("decay", 1), eps=("eps", 2), title="Chainer"),
)  # fmt: skip


@lru_cache(maxsize=4096)
def norm_named(name: str) -> Norm | None:
    """The batch norm of that full dotted name, if it is one (``…__init__`` of a base class counts as the class)."""
    last = name.rpartition(".")[2]
    if "norm" not in last.lower() and "ABN" not in last and not name.endswith(".__init__"):
        return None
    plain = name.removesuffix(".__init__")
    return next((norm for norm in NORMS if norm.pattern.search(plain)), None)
