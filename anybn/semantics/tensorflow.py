"""Rows of the TensorFlow family: tf.contrib, tf.compat.v1.layers, tf_keras, multi-backend Keras, Keras 3."""

from anybn.semantics.model import Renorm, Semantics

_BESSEL = (1.0,)
_KERAS_231 = (1.001,)  # n / (n - (1 + eps)) with Keras' eps = 1e-3
_KERAS_231_4D = (1.0, 1.001)

_CONTRIB = Semantics(
    name="contrib",
    title="tf.contrib.layers.batch_norm, fused=False or rank 3; tf_slim",
    argument="decay",
    decay=0.999,
    scale=False,
    note="scale=False by default. The updates only run if UPDATE_OPS is a dependency of the training op.",
)
_CONTRIB_FUSED = _CONTRIB.but(
    name="contrib_fused",
    title="tf.contrib.layers.batch_norm, default (2-D and 4-D are fused)",
    corrections=_BESSEL,
)
_TF1 = Semantics(
    name="tf1",
    title="tf.compat.v1.layers.batch_normalization, 2-D or fused=False",
    ghost_order="strided",
    note="The updates only run if UPDATE_OPS is a dependency of the training op; training=False by default.",
)
_TF1_FUSED = _TF1.but(
    name="tf1_fused",
    title="tf.compat.v1.layers.batch_normalization, 4-D default (fused)",
    corrections=_BESSEL,
)
_KERAS2 = Semantics(
    name="keras2",
    title="tf_keras (Keras 2) BatchNormalization, 2-D or fused=False",
    ghost_order="strided",
)
_KERAS2_FUSED = _KERAS2.but(
    name="keras2_fused",
    title="tf_keras (Keras 2) BatchNormalization, 4-D and 5-D (fused is automatic)",
    corrections=_BESSEL,
    note="The same layer updates with the unbiased variance on 4-D input and the biased one on 2-D input.",
)
_KERAS = Semantics(
    name="keras",
    title="Keras 3 BatchNormalization, any rank",
    note="Never fused: biased everywhere. Its NumPy and PyTorch backends give NaN at large means; this does not.",
)
_KERAS_MB = Semantics(
    name="keras_2_3",
    title="multi-backend Keras 2.3.1 BatchNormalization",
    corrections=_KERAS_231,
    note="Running variance is biased * n/(n - 1 - eps).",
)
_RENORM = Renorm(decay=0.99)

ROWS: tuple[Semantics, ...] = (
    _CONTRIB_FUSED,
    _CONTRIB,
    _CONTRIB_FUSED.but(
        name="contrib_fused_zero_debias",
        title="tf.contrib.layers.batch_norm(zero_debias_moving_mean=True), fused",
        debias="mean",
        note="Only the mean is debiased, the variance never.",
    ),
    _CONTRIB.but(
        name="contrib_zero_debias",
        title="tf.contrib.layers.batch_norm(zero_debias_moving_mean=True), unfused",
        debias="mean",
        note="Only the mean is debiased, the variance never.",
    ),
    _CONTRIB.but(
        name="contrib_batch_weights",
        title="tf.contrib.layers.batch_norm(batch_weights=…)",
        note="Pass weights=: they count samples (frequencies), and force the unfused path.",
    ),
    _TF1,
    _TF1_FUSED,
    _TF1_FUSED.but(
        name="tf1_fused_eps_floor",
        title="tf 1.15 nn.fused_batch_norm",
        eps_floor=1.001e-5,
        quirk="A smaller eps is silently raised to 1.001e-5.",
    ),
    _TF1.but(
        name="tf1_renorm",
        title="tf.compat.v1.layers.batch_normalization(renorm=True)",
        renorm=_RENORM,
    ),
    _TF1.but(
        name="tf1_virtual",
        title="tf.compat.v1.layers.batch_normalization(virtual_batch_size=…)",
        note="Pass ghost=virtual_batch_size. TensorFlow also splits at inference; this does not.",
    ),
    _KERAS2,
    _KERAS2_FUSED,
    _KERAS2.but(name="keras2_renorm", title="tf_keras BatchNormalization(renorm=True)", renorm=_RENORM),
    _KERAS2.but(
        name="keras2_virtual",
        title="tf_keras BatchNormalization(virtual_batch_size=…)",
        note="Pass ghost=virtual_batch_size. Sample i goes to group i mod (N/g). Keras also splits at inference.",
    ),
    _KERAS,
    _KERAS.but(name="keras_renorm", title="Keras 3 BatchNormalization(renorm=True)", renorm=_RENORM),
    _KERAS.but(
        name="keras_all_masked_decays",
        title="Keras 3 BatchNormalization, all steps masked",
        empty="decay",
        quirk="A batch with nothing in it counts as mean 0 and variance 0: running statistics decay.",
    ),
    _KERAS_MB,
    _KERAS_MB.but(
        name="keras_2_3_double_bessel",
        title="multi-backend Keras 2.3.1 BatchNormalization, 4-D",
        corrections=_KERAS_231_4D,
        quirk="Bessel's correction is applied twice, by the fused op and by the layer.",
    ),
    _KERAS_MB.but(
        name="keras_2_2",
        title="multi-backend Keras 2.1.6 to 2.2.4 BatchNormalization",
        debias="both",
        note="Zero debias of mean and variance.",
    ),
    _KERAS_MB.but(
        name="keras_2_2_double_bessel",
        title="multi-backend Keras 2.1.6 to 2.2.4 BatchNormalization, 4-D",
        debias="both",
        corrections=_KERAS_231_4D,
        quirk="Bessel's correction is applied twice, by the fused op and by the layer.",
    ),
)
