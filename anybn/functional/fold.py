"""Fold a batch norm into a convolution or a linear layer: the public functions."""

from typing import Literal

from anybn import namespace
from anybn._typing import Array, Namespace
from anybn.core.fold import Affine, Folded, Leftover, WeightAxes, fold_after, fold_before, weight_axes
from anybn.errors import Unsupported, bad_value, explain
from anybn.namespace import dtype_name
from anybn.state import Params, RunningStats

__all__ = ["fold_conv", "fold_linear"]

Place = Literal["before", "after"]
PaddingMode = Literal["none", "zeros", "reflect", "replicate", "circular"]

PADS_WITH_ITSELF: dict[str, bool] = {"none": True, "reflect": True, "replicate": True, "circular": True, "zeros": False}
"""Is what the layer sees at the border the batch norm's own output? The words are those of ``torch.nn.Conv2d``, and
"none" for no padding."""


def fold_conv(
    weight: Array,
    bias: Array | None,
    params: Params,
    state: RunningStats,
    *,
    place: Place,
    layout: str,
    eps: float,
    groups: int = 1,
    transposed: bool = False,
    padding_mode: PaddingMode | None = None,
    stride: int | None = None,
    leftover: Leftover = "raise",
) -> Folded:
    """Fold the batch norm before or after a convolution into its weight and bias.

    Parameters
    ----------
    weight : array
        Any rank; its axes are named by ``layout``.
    bias : array of shape (C_out,) or None
    params, state
        Of the batch norm: scale, offset, mean, var of shape (C,), C being C_out after and C_in before the convolution.
    place : "before" or "after"
        Where the batch norm stands. Nothing, no activation either, may stand in between.
    layout : str
        One letter an axis: ``O`` outputs, ``I`` inputs, ``M`` the multiplier of a depthwise kernel (output channel ``i
        * M + m``); the others are spatial. torch ``"OIHW"``, torch transposed ``"IOHW"``, TensorFlow and Flax
        ``"HWIO"``, TensorFlow transposed ``"HWOI"``, TensorFlow depthwise ``"HWIM"``, MLX ``"OHWI"``; ``"OIW"`` and
        ``"OIDHW"`` in one and three dimensions.
    eps : float
        Of the batch norm; it was added to ``var``.
    groups : int
        Groups of the convolution (torch ``groups``, Flax ``feature_group_count``); not used with ``M``.
    transposed : bool
        True for a transposed convolution: its weight holds all inputs, and the outputs of one group.
    padding_mode : {"none", "zeros", "reflect", "replicate", "circular"}
        Needed with ``place="before"``: what the convolution pads with; "none" where it pads nothing.
    stride : int
        Needed with ``place="before"`` and ``transposed=True`` where the kernel has one tap.
    leftover : {"raise", "padding_value", "shift"}
        What to do where no bias can stand for the batch norm's shift (``place="before"`` with zero padding, or
        transposed): raise, or return ``padding_value`` or ``shift`` for the caller to use, see `Folded`.

    Returns
    -------
    Folded
        weight in the shape and type of ``weight``, bias (C_out,). float16 and bfloat16 are folded in float32.

    Raises
    ------
    BadValue
        When layout, groups, or the channels do not fit the weight, or an argument is missing.
    Unsupported
        When the fold would not be exact and ``leftover`` does not say how to go on.

    Notes
    -----
    Checked against torch for 1-D, 2-D and 3-D, grouped and transposed.
    ``torch.nn.utils.fuse_conv_bn_eval(transpose=True)`` fails with groups > 1 (pytorch#180995); this does not.
    """
    _check_word("place", place, ("before", "after"))
    _check_word("leftover", leftover, ("raise", "padding_value", "shift"))
    xp = namespace.of(weight, bias, *params, state.mean, state.var).xp
    axes = weight_axes(tuple(weight.shape), layout, groups=groups, transposed=transposed)
    affine = evaluation_affine(params, state, eps=eps, xp=xp)
    if place == "after":
        return fold_after(weight, bias, affine, axes, xp=xp)
    constant = _is_constant(axes, padding_mode, stride)
    if axes.swapped and not constant and leftover == "padding_value":
        raise Unsupported(
            explain(
                "a transposed convolution has no padding to fill",
                got='leftover="padding_value" with transposed=True',
                expected='leftover="raise" or "shift"',
                hint='leftover="shift"',
            )
        )
    return fold_before(weight, bias, affine, axes, constant=constant, leftover=leftover, xp=xp)


def fold_linear(
    weight: Array,
    bias: Array | None,
    params: Params,
    state: RunningStats,
    *,
    place: Place,
    layout: Literal["OI", "IO"],
    eps: float,
) -> Folded:
    """Fold the batch norm before or after a linear layer into its weight and bias; always exact.

    Parameters
    ----------
    weight : array of shape (O, I) or (I, O)
    bias : array of shape (O,) or None
    params, state
        Of the batch norm: scale, offset, mean, var of shape (O,) after and (I,) before the layer.
    place : "before" or "after"
    layout : "OI" (torch) or "IO" (Keras, Flax, Paddle)
    eps : float
        Of the batch norm.

    Returns
    -------
    Folded
        weight in the shape and type of ``weight``, bias (O,).
    """
    _check_word("layout", layout, ("OI", "IO"))
    return fold_conv(weight, bias, params, state, place=place, layout=layout, eps=eps, padding_mode="none")


def evaluation_affine(params: Params, state: RunningStats, *, eps: float, xp: Namespace) -> Affine:
    """Return the multiplication and addition, each (C,), that batch norm with these running statistics is."""
    given = [one for one in (state.mean, state.var, *params) if one is not None]
    # float16 has no 1e-5 next to 1: statistics of a model that was cast to 16 bits are folded in float32, too.
    dtype = xp.float64 if any(dtype_name(one.dtype) == "float64" for one in given) else xp.float32
    mean, var = xp.astype(state.mean, dtype), xp.astype(state.var, dtype)
    scale, offset = (None if one is None else xp.astype(one, dtype) for one in params)
    inverse = 1 / xp.sqrt(var + eps)
    factor = inverse if scale is None else scale * inverse
    shift = -mean * factor
    return Affine(factor, shift if offset is None else offset + shift)


def _is_constant(axes: WeightAxes, padding_mode: str | None, stride: int | None) -> bool:
    """Does the layer answer a constant image with a constant one?"""
    _check_word("padding_mode", padding_mode, tuple(PADS_WITH_ITSELF))
    if not axes.swapped:
        return PADS_WITH_ITSELF[str(padding_mode)]
    if axes.taps > 1:
        return False
    if stride is None:
        raise bad_value(
            "a batch norm before a pointwise transposed convolution needs its stride",
            got="stride=None",
            expected="an integer",
            hint="stride=1, or the largest stride of its axes",
        )
    return stride == 1


def _check_word(name: str, word: object, words: tuple[str, ...]) -> None:
    if word not in words:
        raise bad_value(
            f"{name} is not known", got=repr(word), expected=" or ".join(map(repr, words)), hint=f"{name}={words[0]!r}"
        )
