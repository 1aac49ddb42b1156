"""Rows of all other frameworks and libraries: PyTorch, JAX's, ONNX, MXNet, Paddle, MLX, Chainer, einx, cuDNN, oneDNN."""

from anybn.semantics.model import Semantics

_BESSEL = (1.0,)

_TORCH = Semantics(
    name="torch",
    title="PyTorch nn.BatchNorm1d/2d/3d, F.batch_norm",
    argument_weighs="new",
    axis=1,
    eps=1e-5,
    decay=0.9,
    corrections=_BESSEL,
    single="raise",
    note="momentum=0.1 is the weight of the NEW batch: decay 0.9. y uses the biased variance, running_var the unbiased.",
)
_EQUINOX = Semantics(
    name="equinox_ema",
    title='Equinox BatchNorm(mode="ema")',
    axis=0,
    eps=1e-5,
    first="replace",
    normalize_by="running",
    note="y is normalised with the RUNNING statistics, in training too; the first batch replaces them.",
)
_EQUINOX_BATCH = Semantics(
    name="equinox_batch",
    title='Equinox BatchNorm(mode="batch"), zero-debiased as meant',
    axis=0,
    eps=1e-5,
    debias="both",
)
_ONNX = Semantics(
    name="onnx",
    title="ONNX BatchNormalization-15, training_mode=1",
    axis=1,
    eps=1e-5,
    decay=0.9,
    note="The specification asks for the population (biased) variance.",
)
_MXNET = Semantics(
    name="mxnet",
    title="MXNet 1.9 gluon.nn.BatchNorm",
    axis=1,
    eps=1e-5,
    decay=0.9,
    note="MXNet moves its statistics in backward(), this in the forward pass.",
)
_MLX = Semantics(
    name="mlx",
    title="MLX nn.BatchNorm (since 2026-07)",
    argument_weighs="new",
    eps=1e-5,
    decay=0.9,
    corrections=_BESSEL,
    single="raise",
)
_CHAINER = Semantics(
    name="chainer",
    title="Chainer 7 BatchNormalization",
    argument="decay",
    axis=1,
    eps=2e-5,
    decay=0.9,
    corrections=_BESSEL,
)
_EINX = Semantics(
    name="einx",
    title="einx 0.3 nn.Norm(decay_rate=0.99)",
    argument="decay_rate",
    eps=1e-5,
    note="decay_rate=None (the default) keeps no statistics at all.",
)
_CUDNN = Semantics(
    name="cudnn",
    title="cuDNN batch normalisation, exponentialAverageFactor=0.1",
    argument="exponentialAverageFactor",
    argument_weighs="new",
    axis=1,
    eps=1e-5,
    decay=0.9,
    corrections=_BESSEL,
    first="replace",
    note="Its header asks for factor 1 in the very first call. cuDNN gives NaN for one value per channel; this does not.",
)

ROWS: tuple[Semantics, ...] = (
    _TORCH,
    _TORCH.but(
        name="torch_cumulative",
        title="PyTorch BatchNorm(momentum=None)",
        decay=None,
        note="A plain mean of the batches' unbiased variances: what varies between batches is not in it.",
    ),
    Semantics(
        name="flax",
        title="Flax linen and nnx BatchNorm",
        eps=1e-5,
        note="Flax computes E[x²]-E[x]² clipped at 0 (1400 off at mean 1e4) and returns float32 for 16-bit input.",
    ),
    Semantics(
        name="haiku",
        title="Haiku BatchNorm(decay_rate=0.9)",
        argument="decay_rate",
        eps=1e-5,
        decay=0.9,
        debias="both",
        note="decay_rate has no default in Haiku; 0.9 is only this preset's.",
    ),
    _EQUINOX,
    _EQUINOX_BATCH,
    _EQUINOX_BATCH.but(
        name="equinox_batch_divided_var",
        title='Equinox 0.13.8 BatchNorm(mode="batch")',
        debias="none",
        evaluate_by="divided",
        quirk="The variance starts at 1 and is still divided by 1 - momentum**n: too large by momentum**n/(1-momentum**n).",
    ),
    _ONNX,
    _ONNX.but(name="onnx_14", title="ONNX BatchNormalization-14, training_mode=1"),
    _ONNX.but(
        name="onnx_9",
        title="ONNX BatchNormalization-9 to 13 (training by extra outputs; 7 and 8: also spatial=1)",
        note="No training_mode attribute; the variance convention was not specified before opset 14.",
    ),
    _ONNX.but(
        name="onnx_reference_9",
        title="onnx ReferenceEvaluator, BatchNormalization-9 to 13",
        evaluate_by="blend",
        quirk="In inference it normalises with a blend of the batch's and the given statistics.",
    ),
    _MXNET,
    _MXNET.but(name="mxnet_nd", title="MXNet 1.9 nd.BatchNorm(fix_gamma=False)", eps=1e-3),
    _MXNET.but(
        name="mxnet_nd_fix_gamma",
        title="MXNet 1.9 nd.BatchNorm, default",
        eps=1e-3,
        fix_scale=True,
        quirk="fix_gamma=True, the default, takes gamma as 1 whatever it is.",
    ),
    Semantics(
        name="paddle",
        title="Paddle 3 BatchNorm1D/2D (CPU)",
        axis=1,
        eps=1e-5,
        decay=0.9,
        single="identity",
        note="One value per channel passes through unchanged.",
    ),
    _MLX,
    _MLX.but(
        name="mlx_biased",
        title="MLX nn.BatchNorm before 2026-07",
        corrections=(),
        quirk="The running variance was biased (changed by mlx PR 3817).",
    ),
    _CHAINER,
    _CHAINER.but(name="chainer_finetune", title="Chainer 7 BatchNormalization(finetune=True)", decay=None),
    _EINX,
    _EINX.but(
        name="einx_first_call",
        title="einx 0.3 nn.Norm(decay_rate=0.99), first call",
        first="ignore",
        quirk="The first training call only creates the variables: y is normalised with mean 0 and variance 1.",
    ),
    _CUDNN,
    _CUDNN.but(name="cudnn_cumulative", title="cuDNN, exponentialAverageFactor=1/(1+n)", decay=None, first="blend"),
    Semantics(
        name="onednn",
        title="oneDNN batch normalization",
        argument="(none)",
        argument_weighs="none",
        axis=1,
        eps=1e-5,
        decay=0.0,
        note="oneDNN keeps no running statistics: what comes back are the last batch's, of the population.",
    ),
)
