"""Keras 2 and 3, standalone and inside TensorFlow: layers that depend on the mode, models that hold them, version marks."""

import re
from functools import lru_cache
from typing import Literal

from bnlint.frameworks.known import BATCH_NORM, DROPOUT

Kind = Literal["norm", "dropout", "noise"]

_ROOT = r"^(?:tensorflow(?:\.compat\.v[12])?(?:\.python)?\.keras|tensorflow_core\.keras|tf_keras|keras(?:_core)?)\."
_LAYERS = rf"{_ROOT}(?:src\.)?layers\b.*\."

# Layer classes whose output depends on `training`.
_MODE: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(rf"{_LAYERS}(?:Sync)?BatchNormalization(?:V[12])?$"), "norm"),
    (re.compile(rf"{_LAYERS}(?:Spatial|Alpha|Gaussian)?Dropout(?:[123]D)?$"), "dropout"),
    (re.compile(rf"{_LAYERS}(?:GaussianNoise|Random(?:Flip|Rotation|Crop|Zoom|Translation|Contrast|Brightness))$"), "noise"),
    (re.compile(r"^tensorflow_addons\.layers\.StochasticDepth$"), "dropout"),
)  # fmt: skip
_CONFIGURED: dict[str, Kind] = {BATCH_NORM: "norm", DROPOUT: "dropout"}
# Networks of keras.applications with batch norm (VGG has none; ConvNeXt normalises layers).
_APPLICATIONS = re.compile(
    rf"{_ROOT}(?:src\.)?applications\b.*\.(?:ResNet|MobileNet|EfficientNet|DenseNet|Inception|Xception|NASNet|RegNet)\w*$"
)
_OTHER_LAYERS = re.compile(rf"{_ROOT}(?:src\.)?(?:layers|applications|activations|Sequential|Model|models|Input)\b")

MODEL_BASES = re.compile(
    rf"{_ROOT}(?:src\.)?(?:(?:models\.|engine\.(?:training\.)?|training\.)?(?:Model|Sequential|Functional)|"
    r"(?:engine\.|layers\.(?:layer\.)?|base_layer\.)?Layer|layers\.Layer)$"
)
MODELS = re.compile(rf"{_ROOT}(?:src\.)?(?:\w+\.)*(?:Model|Sequential|Functional)$")
GRADIENT_TAPE = re.compile(r"^tensorflow\b.*\.GradientTape$")
# What a model's variables are called where gradients are taken.
VARIABLES = frozenset({"trainable_variables", "trainable_weights", "variables", "weights"})
TRAINING_WORDS = frozenset({"training", "is_training", "train", "is_train", "train_mode", "trainable"})

# Names that only one generation has. Positive evidence only; most code fits both.
_KERAS_2 = re.compile(
    rf"{_ROOT}(?:layers\.(?:advanced_activations|convolutional|normalization|core|pooling|recurrent|merge|noise|"
    r"embeddings|wrappers|local)\b|utils\.np_utils\b|backend\.(?:set_learning_phase|learning_phase|get_session|"
    r"set_session|tensorflow_backend)\b|engine\b|objectives\b|wrappers\.scikit_learn|optimizers\.legacy|"
    r"preprocessing\.image\.ImageDataGenerator|experimental\b|estimator\b|layers\.experimental\b)|^tf_keras\b|"
    r"^tensorflow\.contrib\b|^tensorflow\.(?:Session|placeholder|layers|disable_v2_behavior)\b|^tensorflow\.compat\.v1\."
)
_KERAS_3 = re.compile(rf"{_ROOT}(?:src\.)?(?:ops|random|distribution|export|saving\.KerasFileEditor)\b|^keras\.src\.")


@lru_cache(maxsize=8192)
def mode_layer(name: str) -> Kind | None:
    """The kind of mode-dependent layer of that full name; a whole network counts as what it holds."""
    if name in _CONFIGURED:
        return _CONFIGURED[name]
    if _APPLICATIONS.search(name):
        return "norm"
    return next((kind for pattern, kind in _MODE if pattern.search(name)), None)


@lru_cache(maxsize=8192)
def known(name: str) -> bool:
    """Whether Keras defines it: what is not a mode layer then holds nothing that depends on the mode."""
    return bool(_OTHER_LAYERS.search(name))


def generation(name: str) -> Literal[2, 3] | None:
    """The one generation of Keras that has this name, if it tells."""
    if _KERAS_2.search(name):
        return 2
    return 3 if _KERAS_3.search(name) else None


_OPAQUE = re.compile(
    r"(?:\.load_model|\.from_pretrained|\.KerasLayer|\.from_preset|\.model_from_json|\.from_config|\.clone_model)$|"
    r"^(?:transformers|keras_hub|keras_nlp|keras_cv|efficientnet|segmentation_models|classification_models)\b"
)


@lru_cache(maxsize=8192)
def opaque(name: str) -> bool:
    """Whether what it makes cannot be seen in the source: a loaded model, a network of another package."""
    return bool(_OPAQUE.search(name))
