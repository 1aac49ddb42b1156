"""PyTorch's names and habits, as data: layers that have a mode, zoos, loaders, words, trainers that switch modes.

Names are full dotted names as :class:`bnlint.project.names.External` has them. To teach the linter another layer, zoo
or word, add it to the table; nothing here is code.
"""

import re
from typing import Final, Literal, NamedTuple

from bnlint.frameworks.known import BATCH_NORM, DROPOUT

Kind = Literal["batch norm", "instance norm", "dropout"]

# Where the classes of torch.nn can be imported from.
NN: Final = ("torch.nn.", "torch.nn.modules.", "torch.nn.modules.batchnorm.", "torch.nn.modules.dropout.")

_LAYERS: Final[dict[str, Kind]] = {
    "BatchNorm1d": "batch norm",
    "BatchNorm2d": "batch norm",
    "BatchNorm3d": "batch norm",
    "LazyBatchNorm1d": "batch norm",
    "LazyBatchNorm2d": "batch norm",
    "LazyBatchNorm3d": "batch norm",
    "SyncBatchNorm": "batch norm",
    "_BatchNorm": "batch norm",
    "Dropout": "dropout",
    "Dropout1d": "dropout",
    "Dropout2d": "dropout",
    "Dropout3d": "dropout",
    "AlphaDropout": "dropout",
    "FeatureAlphaDropout": "dropout",
}

MODE_LAYERS: Final[dict[str, Kind]] = {
    **{prefix + name: kind for prefix in NN for name, kind in _LAYERS.items()},
    BATCH_NORM: "batch norm",
    DROPOUT: "dropout",
    "apex.parallel.SyncBatchNorm": "batch norm",
    "inplace_abn.ABN": "batch norm",
    "inplace_abn.InPlaceABN": "batch norm",
    "inplace_abn.InPlaceABNSync": "batch norm",
    "detectron2.layers.NaiveSyncBatchNorm": "batch norm",
    "MinkowskiEngine.MinkowskiBatchNorm": "batch norm",
    "MinkowskiEngine.MinkowskiSyncBatchNorm": "batch norm",
    "MinkowskiEngine.MinkowskiDropout": "dropout",
    "torch_geometric.nn.BatchNorm": "batch norm",
    "torch_geometric.nn.norm.BatchNorm": "batch norm",
    "timm.layers.DropPath": "dropout",
    "timm.models.layers.DropPath": "dropout",
    "timm.layers.BatchNormAct2d": "batch norm",
    "timm.models.layers.BatchNormAct2d": "batch norm",
    "torchvision.ops.StochasticDepth": "dropout",
    "torchvision.ops.DropBlock2d": "dropout",
    "torchvision.ops.misc.ConvNormActivation": "batch norm",
    "torchvision.ops.Conv2dNormActivation": "batch norm",
}
BATCH_NORMS: Final = frozenset(name for name, kind in MODE_LAYERS.items() if kind == "batch norm")
# Layers of torch.nn whose `dropout` argument switches a dropout on: argument position, default.
DROPOUT_ARGUMENT: Final[dict[str, tuple[int, float]]] = {
    "LSTM": (99, 0.0),
    "GRU": (99, 0.0),
    "RNN": (99, 0.0),
    "MultiheadAttention": (2, 0.0),
    "TransformerEncoderLayer": (3, 0.1),
    "TransformerDecoderLayer": (3, 0.1),
    "Transformer": (5, 0.1),
}
# Everything else below torch.nn that is a layer behaves alike in both modes.
# Names by which registries of toolboxes (mmcv, mmengine …) build a batch norm: ``dict(type="BN", momentum=0.1)``.
NORM_TYPES: Final = frozenset({"BN", "BN1d", "BN2d", "BN3d", "SyncBN", "naiveSyncBN1d", "naiveSyncBN2d", "MMSyncBN"})
# Dropouts and the function that does the same; AlphaDropout's has another default, which a given mode overrides.
FUNCTIONAL_OF: Final[dict[str, str]] = {
    "Dropout": "dropout",
    "Dropout1d": "dropout1d",
    "Dropout2d": "dropout2d",
    "Dropout3d": "dropout3d",
    "AlphaDropout": "alpha_dropout",
    "FeatureAlphaDropout": "feature_alpha_dropout",
}
INSTANCE_NORMS: Final = frozenset(
    prefix + name
    for prefix in (*NN, "torch.nn.modules.instancenorm.")
    for name in ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
)
MODULE_BASES: Final = frozenset({
    "torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module", "torch.jit.ScriptModule",
    "torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ModuleDict", "torch.nn.modules.container.Sequential",
})  # fmt: skip

# --- functions -------------------------------------------------------------------------------------------------------

FUNCTIONAL: Final = ("torch.nn.functional.", "torch.nn.modules.functional.")
# Functional dropouts that are ON by default, and the position of `training`.
ALWAYS_ON_DROPOUTS: Final[dict[str, int]] = {
    prefix + name: 2 for prefix in FUNCTIONAL for name in ("dropout", "dropout1d", "dropout2d", "dropout3d")
}
FUNCTIONAL_BATCH_NORM: Final[dict[str, int]] = {prefix + "batch_norm": 5 for prefix in FUNCTIONAL}
ATTENTION: Final = frozenset(prefix + "scaled_dot_product_attention" for prefix in FUNCTIONAL)
NO_GRAD: Final = frozenset({
    "torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad", "torch.autograd.grad_mode.no_grad",
    "torch.autograd.inference_mode", "torch.set_grad_enabled",
})  # fmt: skip
# Calls that give back the object they are given (a wrapper holds it, and modes pass through).
WRAPPERS: Final = frozenset({
    "torch.nn.DataParallel", "torch.nn.parallel.DataParallel", "torch.nn.parallel.DistributedDataParallel", "torch.compile",
    "torch.nn.parallel.data_parallel.DataParallel", "apex.parallel.DistributedDataParallel", "torch.jit.script",
    "torch.nn.SyncBatchNorm.convert_sync_batchnorm", "apex.parallel.convert_syncbn_model", "torch.distributed.fsdp.FullyShardedDataParallel",
    "torch.nn.parallel.distributed.DistributedDataParallel", "torch.nn.utils.weight_norm", "torch.nn.utils.spectral_norm",
    "torch.nn.utils.parametrizations.weight_norm", "torch.nn.utils.parametrizations.spectral_norm",
})  # fmt: skip
# Methods of a module that give back the module itself.
SELF_METHODS: Final = frozenset({
    "to", "cuda", "cpu", "float", "double", "half", "bfloat16", "type", "share_memory", "apply", "train", "eval", "requires_grad_",
    "xpu", "npu", "mlu", "ipu", "to_empty", "compile_",
})  # fmt: skip
COPIES: Final = frozenset({"copy.deepcopy", "copy.copy"})
AVERAGED: Final = frozenset({"torch.optim.swa_utils.AveragedModel", "torch.optim.AveragedModel"})
UPDATE_BN: Final = frozenset(
    {"update_bn", "bn_update", "update_bn_stats", "precise_bn", "recalibrate_bn", "calibrate_bn"}
)
DUMMIES: Final = frozenset({"zeros", "ones", "rand", "randn", "randint", "empty", "arange", "Tensor"})
CHECKPOINTS: Final = frozenset({"torch.utils.checkpoint.checkpoint", "torch.utils.checkpoint.checkpoint_sequential"})
DDP: Final = frozenset({
    "torch.nn.parallel.DistributedDataParallel", "apex.parallel.DistributedDataParallel",
    "torch.nn.parallel.distributed.DistributedDataParallel",
})  # fmt: skip
# Calls that bake the present mode into what they make: name → position of the model.
BAKING: Final[dict[str, int]] = {
    "torch.jit.trace": 0,
    "torch.jit.trace_module": 0,
    "torch.export.export": 0,
    "torch.quantization.fuse_modules": 0,
    "torch.ao.quantization.fuse_modules": 0,
    "torch.nn.utils.fusion.fuse_conv_bn_eval": 0,
}

# --- zoos ------------------------------------------------------------------------------------------------------------


class Zoo(NamedTuple):
    """What a function that makes a network gives back: does it hold layers with a mode, and in which mode it comes.

    `holds` is None where it depends on the network asked for; `insensitive` are beginnings of names (of the function,
    or of its first argument) of networks that hold nothing with a mode.
    """

    prefix: str
    mode: Literal["train", "eval"]
    holds: bool | None
    insensitive: tuple[str, ...] = ()


# The longest fitting prefix wins.
ZOOS: Final = (
    Zoo("torchvision.models.", "train", True, ("squeezenet_none",)),
    Zoo("torchvision.models.detection.", "train", None),
    Zoo("torchvision.models.segmentation.", "train", True),
    Zoo("torchvision.models.feature_extraction.", "train", None),
    Zoo("timm.create_model", "train", True, ("convnext", "mixer", "resmlp", "gmlp")),
    Zoo("timm.models.create_model", "train", True),
    Zoo("segmentation_models_pytorch.", "train", True),
    Zoo("torch.hub.load", "train", None),
    Zoo("efficientnet_pytorch.EfficientNet.", "train", True),
    Zoo("pretrainedmodels.", "train", True),
    Zoo("transformers.", "eval", True),
    Zoo("sentence_transformers.", "eval", True),
    Zoo("diffusers.", "eval", None),
)
# Functions of a zoo that make no network.
NOT_NETWORKS: Final = frozenset(
    {"list_models", "get_weight", "get_model_weights", "get_graph_node_names", "is_model", "model_entrypoint"}
)

# --- words -----------------------------------------------------------------------------------------------------------

# Parts of names (split at underscores, capitals and digits).
EVALUATION_DATA: Final = frozenset(
    {"val", "valid", "validation", "eval", "evaluation", "test", "testing", "dev", "holdout", "tst", "vali"}
)
TRAINING_DATA: Final = frozenset({"train", "training", "trn", "trainset"})
EVALUATION_FUNCTIONS: Final = frozenset({
    "val", "valid", "validate", "validation", "eval", "evaluate", "evaluation", "evaluator", "test", "testing", "tester", "predict", "prediction",
    "predictor", "infer", "inference", "classify", "demo", "score", "benchmark", "detect", "recognize",
})  # fmt: skip
STRONG_EVALUATION_FUNCTIONS: Final = EVALUATION_FUNCTIONS - {
    "score",
    "demo",
    "benchmark",
    "detect",
    "classify",
    "recognize",
}
# Files that are named so use a finished network.
EVALUATION_SCRIPTS: Final = EVALUATION_FUNCTIONS | {
    "sample", "sampling", "synthesize", "synthesis", "translate", "transcribe", "caption", "visualize", "visualise", "visualization", "extract",
    "extraction", "submission", "show", "webcam", "video", "verify", "gradcam", "heatmap", "embed",
}  # fmt: skip
# Networks that are often meant to sample in training mode.
GENERATORS: Final = frozenset({"g", "gen", "netg", "generator", "generators", "gan"})
TRAINING_FUNCTIONS: Final = frozenset(
    {"train", "training", "fit", "learn", "finetune", "optimize", "update", "trainer", "pretrain", "adapt", "calibrate"}
)
LOADERS: Final = frozenset({
    "loader", "dataloader", "dl", "iter", "iterator", "data", "dataset", "set", "gen", "generator", "batches", "queue", "ds", "itr",
})  # fmt: skip
# Words in names or comments near a call that say: this is meant.
INTENT: Final = re.compile(
    r"mc[ _-]?dropout|monte[ _-]?carlo|prenet|pre_net|adain|ada_in|adaptive[ _]?instance|few[ _-]?shot|meta[ _-]?learn|maml|standing[ _]stat|calibrat"
    r"|precise[ _-]?bn|update_bn|bn_update|update[ _-]?stat|test[ _-]?time[ _-]?(?:adapt|train)|\btent\b|cotta|uncertaint|stochastic (?:forward|dropout|pass)"
    r"|on purpose|intentional|deliberate|not a bug|(?:keep|stay|should|must|remain|need|leave|want)(?:(?!eval)[^\n]){0,40}train(?:ing)?[ _-]mode|batch stat"
    r"|transductive|warm_?up_?bn|pix2pix",
    re.IGNORECASE,
)
# The same for training in eval mode.
EVAL_INTENT: Final = re.compile(
    r"on purpose|intentional|deliberate|not a bug|fr(?:ee|o)z|fix(?:ed)?[ _-]?bn|(?:keep|stay|should|must|remain|need|leave|want)[^\n]{0,40}eval(?:uation)?[ _-]mode",
    re.IGNORECASE,
)
METRICS: Final = frozenset({
    "argmax", "topk", "accuracy", "correct", "iou", "miou", "auc", "psnr", "ssim", "f1", "bleu", "wer", "confusion", "metric", "metrics", "acc",
    "accuracy_score", "pred", "preds", "predicted", "predictions", "prediction", "prec", "dice", "mae", "rmse", "eer", "cer",
})  # fmt: skip
# Parameters that hold settings, and words for what is a network all the same (``args.model``).
SETTINGS: Final = frozenset({
    "args", "cfg", "config", "conf", "configs", "opt", "opts", "options", "hparams", "hps", "params", "param", "settings", "flags", "kwargs",
})  # fmt: skip
NETWORKS: Final = frozenset({
    "model", "models", "net", "network", "encoder", "decoder", "backbone", "module", "generator", "discriminator", "g", "d", "teacher", "student", "ema",
})  # fmt: skip
TEACHERS: Final = frozenset(
    {"teacher", "ema", "frozen", "lpips", "vgg", "perceptual", "inception", "fid", "target", "momentum"}
)

# --- frameworks that switch modes themselves -------------------------------------------------------------------------

# Bases whose hooks run in the right mode: the trainer sets train() and eval() around them.
MANAGED_BASES: Final = (
    "pytorch_lightning.", "lightning.", "lightning_fabric.", "transformers.Trainer", "transformers.trainer.", "ignite.", "catalyst.", "fastai.",
    "skorch.", "composer.", "mmengine.", "mmcv.runner.", "torchtnt.", "poutyne.", "torchbearer.", "argus.", "determined.pytorch.", "ray.train.",
    "detectron2.engine.", "fvcore.", "super_gradients.", "avalanche.", "ultralytics.", "fairseq.", "allennlp.", "flair.", "pl.", "trl.", "sentence_transformers.", "setfit.",
    "mmf.", "espnet2.", "espnet.", "nemo.", "speechbrain.", "d2l.", "deepspeed.",
)  # fmt: skip
LIGHTNING: Final = ("pytorch_lightning.", "lightning.", "lightning.pytorch.", "pl.")

# --- calls the analysis of modes has to know -------------------------------------------------------------------------

# Code outside of the project that leaves the mode of the networks it is given alone.
HARMLESS: Final = (
    "torch.", "torchvision.", "numpy.", "copy.", "wandb.", "torchsummary.", "torchinfo.", "thop.", "ptflops.", "fvcore.nn.", "logging.", "os.",
    "json.", "tensorboard", "tqdm", "accelerate.", "timm.", "transformers.", "apex.", "pickle.", "random.", "time.", "math.", "sys.", "pprint.",
    "collections.", "itertools.", "functools.", "matplotlib.", "PIL.", "cv2.", "scipy.", "sklearn.", "pandas.", "einops.", "torchmetrics.", "lpips.",
    "warmup_scheduler.", "torch_optimizer.", "adabelief_pytorch.", "peft.", "deepspeed.", "builtins.",
)  # fmt: skip
BUILTINS: Final = frozenset({
    "print", "len", "isinstance", "issubclass", "hasattr", "getattr", "setattr", "id", "type", "sum", "list", "tuple", "dict", "set", "zip", "enumerate",
    "range", "map", "filter", "sorted", "reversed", "iter", "next", "str", "repr", "int", "float", "bool", "max", "min", "any", "all", "open", "vars",
    "super", "callable", "tqdm", "trange", "format", "round", "abs", "dir", "hash",
})  # fmt: skip
# Methods of a module by which a network computes, beside calling it.
COMPUTING_METHODS: Final = frozenset(
    {"forward", "forward_features", "forward_test", "generate", "predict", "inference", "infer"}
)
# Words in the name of something unknown that is given a network: it may switch the mode.
MODE_WORDS: Final = frozenset({
    "eval", "evaluate", "train", "mode", "freeze", "unfreeze", "test", "val", "valid", "validate", "fit", "predict", "infer", "inference", "setup", "prepare",
    "load", "resume", "restore", "init", "initialize", "build", "create", "wrap", "convert", "run", "export", "set",
})  # fmt: skip
LOAD_METHODS: Final = frozenset({"load_state_dict", "load_pretrained", "load_weights", "load_checkpoint", "load_model"})
PART_METHODS: Final = frozenset({"modules", "named_modules", "children", "named_children"})
# Methods that every module has (and a use of one is no call of a part).
MODULE_METHODS: Final = frozenset({
    "parameters", "named_parameters", "buffers", "named_buffers", "state_dict", "zero_grad", "register_buffer", "register_parameter", "add_module",
    "register_module", "register_forward_hook", "extra_repr", "get_submodule", "get_parameter", "get_buffer", "log", "log_dict", "save_hyperparameters",
    "cuda", "cpu", "to", "float", "half", "double", "apply", "modules", "named_modules", "children", "named_children", "requires_grad_", "train", "eval",
})  # fmt: skip
