"""TensorFlow 1: names of batch norms, optimizers, update routes, and the defaults of their flags."""

import re
from typing import Literal, NamedTuple


class Tf1Norm(NamedTuple):
    """One batch norm of graph TensorFlow.

    `flag` is the mode argument, `slot` its 0-based position in a call that starts with the inputs, `default` its
    default; `updates` the argument that chooses where the updates go (None: always the collection); `slots` are the
    leading positional parameters, inputs first.
    """

    kind: Literal["layers", "contrib", "keras"]
    flag: str
    slot: int
    default: bool
    updates: str | None
    slots: tuple[str, ...]


_LAYERS_SLOTS = ("inputs", "axis", "momentum", "epsilon", "center", "scale")
LAYERS = Tf1Norm("layers", "training", 14, False, None, _LAYERS_SLOTS)
LAYER_CLASS = Tf1Norm("layers", "training", 1, False, None, ("inputs",))
CONTRIB = Tf1Norm(
    "contrib", "is_training", 10, True, "updates_collections",
    ("inputs", "decay", "center", "scale", "epsilon", "activation_fn", "param_initializers", "param_regularizers",
     "updates_collections"),
)  # fmt: skip

# `tf.python.layers` and `contrib…python.layers` are how the same functions are imported from inside.
_FUNCTIONS: tuple[tuple[re.Pattern[str], Tf1Norm], ...] = (
    (re.compile(r"^tensorflow(?:\.python)?\.layers(?:\.\w+)?\.batch_norm(?:alization)?$"), LAYERS),
    (re.compile(r"^(?:tensorflow\.contrib|tf_slim)\.(?:[\w.]+\.)?batch_norm$"), CONTRIB),
    (re.compile(r"^(?:slim|tensorflow\.slim)\.(?:layers\.)?batch_norm$"), CONTRIB),
)
_CLASSES = re.compile(r"^tensorflow(?:\.python)?\.layers(?:\.\w+)?\.BatchNorm(?:alization)?$")
_KERAS_CLASSES = re.compile(r"^(?:tensorflow\.(?:python\.)?|tf_)?keras\.(?:[\w.]+\.)?BatchNormalization(?:V1|V2)?$")
_KERAS_NETS = re.compile(r"^(?:tensorflow\.(?:python\.)?|tf_)?keras\.applications\.(?:\w+\.)*[A-Z]\w+$")


def canonical(name: str) -> str:
    """`name` without the ways in which TensorFlow 2 spells TensorFlow 1."""
    for prefix in ("tensorflow.compat.v1", "tensorflow._api.v1", "tensorflow_core"):
        if name == prefix or name.startswith(prefix + "."):
            return "tensorflow" + name[len(prefix) :]
    return name


def norm_function(name: str) -> Tf1Norm | None:
    """The batch norm that a function of this canonical name is."""
    return next((norm for pattern, norm in _FUNCTIONS if pattern.match(name)), None)


def is_norm_class(name: str) -> bool:
    """Whether this is ``tf.layers.BatchNormalization``."""
    return _CLASSES.match(name) is not None


def is_keras_norm(name: str) -> bool:
    """Whether this is Keras' ``BatchNormalization``."""
    return _KERAS_CLASSES.match(name) is not None


def is_keras_net(name: str) -> bool:
    """Whether this builds a network of ``keras.applications`` (all but VGG hold batch norms)."""
    return _KERAS_NETS.match(name) is not None and not name.rpartition(".")[2].startswith("VGG")


# Networks of slim, by how they are called and how their arguments are scoped; these hold batch norms.
_SLIM_NETS = re.compile(
    r"^(?:tensorflow\.contrib\.slim|tf_slim)\.(?:\w+\.)*nets\.(?:\w+\.)*(?:resnet_v[12]\w*|inception\w*|mobilenet\w*)$"
)


def is_slim_net(name: str) -> bool:
    """Whether a call builds a network of slim that holds batch norms, or the scope of its arguments."""
    return _SLIM_NETS.match(name) is not None and not name.endswith(("_block", "_base"))


# Calls that build a training step and run the collection themselves.
UPDATE_ROUTES = frozenset({
    "create_train_op", "optimize_loss", "gan_train_ops", "gan_train", "get_sequential_train_steps", "create_estimator_spec",
    "RunUpdateOps", "AutoCollectUpdates", "with_dependencies_of_updates", "get_updates_for", "run_update_ops",
})  # fmt: skip
# Calls that train through Keras, which runs its own updates.
KERAS_TRAINING = frozenset({"fit", "fit_generator", "train_on_batch"})
RUNNERS = frozenset({
    "run", "Estimator", "TPUEstimator", "train_and_evaluate", "MonitoredTrainingSession", "Supervisor", "partial_run",
})  # fmt: skip
SESSIONS = frozenset({
    "Session", "InteractiveSession", "MonitoredTrainingSession", "MonitoredSession", "SingularMonitoredSession",
    "disable_v2_behavior", "disable_eager_execution", "placeholder", "placeholder_with_default",
})  # fmt: skip
PLACEHOLDERS = frozenset({"placeholder", "placeholder_with_default"})
# Calls that say: these weights were trained elsewhere, and may be frozen on purpose.
PRETRAINED_CALLS = frozenset({
    "assign_from_checkpoint", "assign_from_checkpoint_fn", "init_from_checkpoint", "assign_from_values",
    "assign_from_values_fn", "get_variables_to_restore", "NewCheckpointReader", "load_checkpoint",
})  # fmt: skip
PRETRAINED_WORDS = re.compile(
    r"pre_?train|fine_?tun|\bnpz\b|load_npy|load_weights|backbone_weights|(?:freeze|frozen)_(?:bn|batch|norm|backbone|layer|param|weight|stage)",
    re.IGNORECASE,
)

FLAG_NAMES = re.compile(
    r"^(?:is_?|b_|tf_?|bn_?|the_|ph_)*(?:training|train|testing|test|phase|train_?(?:phase|mode|flag|bool|ing_?flag|ph)|phase_?train"
    r"|inference|mode|training_?(?:phase|mode|flag|ph|placeholder)|trainable|istrain|istraining|train_?test|for_?training)"
    r"(?:_?(?:ph|pl|placeholder|flag|mode|phase|bool|op|tensor|var))?$",
    re.IGNORECASE,
)
# What names a function or file that never trains.
INFERENCE_NAMES = re.compile(
    r"(?:^|_|/)(?:tests?|testing|eval(?:uat\w+)?|valid(?:at\w+)?|val|infer\w*|predict\w*|pred|sampl\w+|export\w*|freez\w*|frozen|deploy\w*"
    r"|demo|serv\w+|generat\w+_(?:image|sample)\w*|convert\w*|detect|reconstruct\w*|visuali[sz]e\w*|target)(?:_|$|\d)",
    re.IGNORECASE,
)
CONSTRUCTORS = re.compile(
    r"^tensorflow\.(?:contrib\.)?(?:train|opt|tpu|keras\.optimizers)\.(?:\w+\.)*[A-Z]\w*Optimizer\w*$"
)
_KERAS_SLOTS = ("axis", "momentum", "epsilon")
_FLAX_NORM = re.compile(r"^flax\.linen\.(?:\w+\.)*BatchNorm$")


def constructor_slots(name: str) -> tuple[tuple[str, ...], str] | None:
    """Positional parameters of a layer class, and where its training flag belongs."""
    if is_norm_class(name) or is_keras_norm(name):
        return _KERAS_SLOTS, "training"
    if _FLAX_NORM.match(name):
        return ("use_running_average", "axis", "momentum", "epsilon"), "use_running_average"
    return None
