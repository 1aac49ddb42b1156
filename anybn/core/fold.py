"""Fold batch norm in evaluation, which is one multiplication and one addition per channel, into its neighbour.

With ``a = scale / sqrt(var + eps)`` and ``b = offset - mean * a`` batch norm is ``y = a * x + b``, so

- *after* a layer: ``a * (W x + c) + b = (a W) x + (a c + b)``, exact for every linear layer;
- *before* a layer: ``W (a x + b) + c = (W a) x + (W b + c)``, where ``W b`` is the layer's answer to a constant image.
  It is one number per output channel only if every output position sees every tap of the kernel: not under zero
  padding, not in a transposed convolution.

Every weight is first brought to one canonical shape, ``(groups, out per group, in per group, taps)``, where both are
one broadcast; so grouped, transposed, depthwise and any order of the axes are the same ten lines. (Jacob et al. 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", section 3.2, gives the
first formula.)
"""

import math
from typing import Literal, NamedTuple

from anybn._typing import Array, Namespace
from anybn.errors import Unsupported, bad_value, explain

__all__ = ["Affine", "Folded", "WeightAxes", "fold_after", "fold_before", "weight_axes"]

Leftover = Literal["raise", "padding_value", "shift"]


class Affine(NamedTuple):
    """Batch norm in evaluation: ``y = scale * x + shift``, both of shape (C,)."""

    scale: Array
    shift: Array


class Folded(NamedTuple):
    """A layer that has taken a batch norm in.

    ``weight`` and ``bias`` replace those of the layer. When the batch norm stood *before* a layer that pads with zeros
    (or a transposed one) one of the last two may be set, and then the caller has to use it: ``padding_value`` (C_in,)
    is what to pad the input with instead of zero; ``shift`` (C_in,) is the constant image to run through the *original*
    layer without its bias, the result to be added to the output.
    """

    weight: Array
    bias: Array
    padding_value: Array | None = None
    shift: Array | None = None


class WeightAxes(NamedTuple):
    """How a weight's axes are read: the order of its letters and which channel axis is split by the groups."""

    order: tuple[int, ...]
    groups: int
    out_per_group: int
    in_per_group: int
    taps: int
    swapped: bool

    @property
    def channels_out(self) -> int:
        """Channels the layer gives."""
        return self.groups * self.out_per_group

    @property
    def channels_in(self) -> int:
        """Channels the layer takes."""
        return self.groups * self.in_per_group


def weight_axes(shape: tuple[int, ...], layout: str, *, groups: int = 1, transposed: bool = False) -> WeightAxes:
    """Read a weight of ``shape`` by ``layout``: ``O`` outputs, ``I`` inputs, ``M`` a depthwise multiplier, every other
    letter a tap.

    In a grouped convolution the weight holds ``I / groups`` inputs of each output; in a transposed one ``O / groups``
    outputs of each input.
    """
    _check_layout(shape, layout)
    taps = [n for n, letter in enumerate(layout) if letter not in "OIM"]
    into, out = layout.index("I"), layout.index("M" if "M" in layout else "O")
    count = math.prod(shape[n] for n in taps)
    if "M" in layout:
        return WeightAxes((into, out, *taps), shape[into], shape[out], 1, count, swapped=False)
    first, second = (into, out) if transposed else (out, into)
    if groups < 1 or shape[first] % groups:
        raise bad_value(
            "the groups do not fit the weight",
            got=f"groups={groups} for a weight of shape {shape} read as {layout}{' (transposed)' if transposed else ''}",
            expected=f"groups that divide its {shape[first]} {'inputs' if transposed else 'outputs'}",
            hint="a transposed convolution keeps its inputs whole and its outputs per group: pass transposed=True for one",
        )
    per_group, other = shape[first] // groups, shape[second]
    out_per_group, in_per_group = (other, per_group) if transposed else (per_group, other)
    return WeightAxes((first, second, *taps), groups, out_per_group, in_per_group, count, swapped=transposed)


def fold_after(weight: Array, bias: Array | None, affine: Affine, axes: WeightAxes, *, xp: Namespace) -> Folded:
    """Fold ``affine`` (C_out,) that follows the layer into its weight and bias."""
    _check_channels(affine, axes.channels_out, "gives", weight)
    dtype = xp.result_type(weight.dtype, affine.scale.dtype)
    scale, shift = xp.astype(affine.scale, dtype), xp.astype(affine.shift, dtype)
    folded = _canonical(weight, axes, dtype, xp) * xp.reshape(scale, (axes.groups, axes.out_per_group, 1, 1))
    new_bias = shift if bias is None else xp.astype(bias, dtype) * scale + shift
    return Folded(_restore(folded, weight, axes, xp), _like(new_bias, weight if bias is None else bias, xp))


def fold_before(
    weight: Array,
    bias: Array | None,
    affine: Affine,
    axes: WeightAxes,
    *,
    constant: bool,
    leftover: Leftover,
    xp: Namespace,
) -> Folded:
    """Fold ``affine`` (C_in,) that precedes the layer into its weight and bias.

    ``constant`` says that the layer answers a constant image with a constant one; where it does not, ``leftover``
    decides.
    """
    _check_channels(affine, axes.channels_in, "takes", weight)
    dtype = xp.result_type(weight.dtype, affine.scale.dtype)
    scale, shift = xp.astype(affine.scale, dtype), xp.astype(affine.shift, dtype)
    whole = _canonical(weight, axes, dtype, xp)
    folded = _restore(whole * xp.reshape(scale, (axes.groups, 1, axes.in_per_group, 1)), weight, axes, xp)
    added = xp.reshape(xp.sum(whole * xp.reshape(shift, (axes.groups, 1, axes.in_per_group, 1)), axis=(2, 3)), (-1,))
    model = weight if bias is None else bias
    if not constant and leftover == "shift":
        return Folded(folded, xp.zeros_like(_like(added, model, xp)) if bias is None else bias, shift=affine.shift)
    if not constant and leftover == "raise" and bool(xp.any(shift != 0)):
        raise _not_constant()
    new_bias = _like(added if bias is None else xp.astype(bias, dtype) + added, model, xp)
    if constant or leftover == "raise":
        return Folded(folded, new_bias)
    return Folded(folded, new_bias, padding_value=_padding_value(affine, xp))


def _padding_value(affine: Affine, xp: Namespace) -> Array:
    """Return the input that batch norm maps to zero: what the folded layer must pad with, because the original one
    padded behind it.
    """
    dead = affine.scale == 0
    if bool(xp.any(dead & (affine.shift != 0))):
        raise Unsupported(
            explain(
                "no input of this batch norm stands for the zero of the padding",
                got="a channel with scale 0 and an offset",
                expected="a scale different from zero in every channel",
                hint='leftover="shift", which needs no such input',
            )
        )
    return xp.where(
        dead, xp.zeros_like(affine.shift), -affine.shift / xp.where(dead, xp.ones_like(affine.scale), affine.scale)
    )


def _canonical(weight: Array, axes: WeightAxes, dtype: object, xp: Namespace) -> Array:
    """Bring a weight to (groups, out per group, in per group, taps)."""
    middle = (axes.in_per_group, axes.out_per_group) if axes.swapped else (axes.out_per_group, axes.in_per_group)
    whole = xp.reshape(xp.permute_dims(xp.astype(weight, dtype), axes.order), (axes.groups, *middle, axes.taps))
    return xp.permute_dims(whole, (0, 2, 1, 3)) if axes.swapped else whole


def _restore(whole: Array, weight: Array, axes: WeightAxes, xp: Namespace) -> Array:
    """Bring a canonical weight back to the shape, order and type of ``weight``."""
    whole = xp.permute_dims(whole, (0, 2, 1, 3)) if axes.swapped else whole
    inverse = tuple(axes.order.index(n) for n in range(len(axes.order)))
    permuted = xp.reshape(whole, tuple(weight.shape[n] for n in axes.order))
    return _like(xp.permute_dims(permuted, inverse), weight, xp)


def _like(array: Array, model: Array, xp: Namespace) -> Array:
    return xp.astype(array, model.dtype)


def _check_layout(shape: tuple[int, ...], layout: str) -> None:
    one_each = len(set(layout)) == len(layout) and "I" in layout and ("O" in layout) != ("M" in layout)
    if one_each and len(layout) == len(shape):
        return
    raise bad_value(
        "the layout does not fit the weight",
        got=f"layout {layout!r} for a weight of shape {shape}",
        expected="one letter an axis: I, then O (or M for a depthwise multiplier), and a different letter for each spatial axis",
        hint="OIHW (torch), IOHW (torch transposed), HWIO (TensorFlow, Flax), HWIM (TensorFlow depthwise), OI or IO (linear)",
    )


def _check_channels(affine: Affine, channels: int, verb: str, weight: Array) -> None:
    if tuple(affine.scale.shape) == (channels,):
        return
    raise bad_value(
        "the batch norm does not fit the layer",
        got=f"a batch norm over {tuple(affine.scale.shape)} channels and a layer that {verb} {channels} (weight {tuple(weight.shape)})",
        expected="as many channels as the layer has on that side",
        hint="check layout, groups and transposed; after a flatten, repeat the statistics once per position",
    )


def _not_constant() -> Unsupported:
    message = explain(
        "this batch norm cannot become part of the layer behind it",
        got="a batch norm with an offset before a layer that pads with zeros, or a transposed convolution",
        expected="a layer that answers a constant image with a constant one: no zero padding, and one tap at stride 1 if transposed",
        hint='leftover="padding_value" (pad the input with the returned value instead of zero) or leftover="shift" '
        "(run the returned constant image once through the original layer and add the result)",
    )
    return Unsupported(message)
