"""Folding: one layer with the folded weight gives what the layer and its batch norm give together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anybn
from anybn.errors import BadValue, Unsupported

torch = pytest.importorskip("torch", reason="the reference for folding is torch")
F = torch.nn.functional

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
SPATIAL = {1: "W", 2: "HW", 3: "DHW"}
EPS = 1e-3


def batch_norm(channels: int, seed: int, *, scale: bool = True, offset: bool = True):
    """Parameters and statistics that are far from the identity, in float64."""
    rng = np.random.default_rng(seed)
    params = anybn.Params(
        rng.normal(1, 0.5, channels) if scale else None, rng.normal(0, 1, channels) if offset else None
    )
    return params, anybn.RunningStats(mean=rng.normal(0, 2, channels), var=rng.uniform(0.1, 4, channels))


def apply_bn(x, params, stats):
    """Batch norm in evaluation by torch itself."""
    scale, offset = (None if value is None else torch.as_tensor(value) for value in params)
    return F.batch_norm(
        x, torch.as_tensor(stats.mean), torch.as_tensor(stats.var), scale, offset, training=False, eps=EPS
    )


def convolve(x, weight, bias, *, rank, transposed, groups, **options):
    """Run torch's convolution of that rank on NumPy weights."""
    operation = (TRANSPOSED if transposed else CONV)[rank]
    return operation(
        x, torch.as_tensor(weight), None if bias is None else torch.as_tensor(bias), groups=groups, **options
    )


def layer(rank, groups, transposed, bias, seed=0):
    """A weight of shape torch's, 6 channels in and 4 out (both divisible by 2), with a kernel of different sides."""
    rng = np.random.default_rng(seed)
    first, second = (6, 4 // groups) if transposed else (4, 6 // groups)
    weight = rng.normal(size=(first, second, *(2, 3, 1)[:rank]))
    return weight, rng.normal(size=4) if bias else None, torch.as_tensor(rng.normal(size=(2, 6, *(7, 6, 5)[:rank])))


def layout_of(rank, transposed):
    return ("IO" if transposed else "OI") + SPATIAL[rank]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_after_a_convolution(rank, transposed, groups, bias):
    """A batch norm behind any convolution folds exactly, padding and stride notwithstanding."""
    weight, old, x = layer(rank, groups, transposed, bias)
    params, stats = batch_norm(4, seed=1)
    how = {"rank": rank, "transposed": transposed, "groups": groups, "stride": 2, "padding": 1}
    want = apply_bn(convolve(x, weight, old, **how), params, stats)
    folded = anybn.fold_conv(
        weight,
        old,
        params,
        stats,
        place="after",
        layout=layout_of(rank, transposed),
        eps=EPS,
        groups=groups,
        transposed=transposed,
    )
    np.testing.assert_allclose(convolve(x, folded.weight, folded.bias, **how), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_before_a_convolution_without_padding(rank, groups, bias):
    """A batch norm in front of a convolution that pads nothing folds exactly."""
    weight, old, x = layer(rank, groups, False, bias)
    params, stats = batch_norm(6, seed=2)
    how = {"rank": rank, "transposed": False, "groups": groups, "stride": 2}
    want = convolve(apply_bn(x, params, stats), weight, old, **how)
    folded = anybn.fold_conv(
        weight,
        old,
        params,
        stats,
        place="before",
        layout=layout_of(rank, False),
        eps=EPS,
        groups=groups,
        padding_mode="none",
    )
    np.testing.assert_allclose(convolve(x, folded.weight, folded.bias, **how), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_before_a_convolution_that_pads_with_its_own_input(mode):
    """Padding made of the input itself passes the batch norm too, so folding stays exact."""
    weight, old, x = layer(2, 1, False, True)
    params, stats = batch_norm(6, seed=3)
    want = F.conv2d(
        F.pad(apply_bn(x, params, stats), (1, 1, 1, 1), mode=mode), torch.as_tensor(weight), torch.as_tensor(old)
    )
    folded = anybn.fold_conv(weight, old, params, stats, place="before", layout="OIHW", eps=EPS, padding_mode=mode)
    got = F.conv2d(F.pad(x, (1, 1, 1, 1), mode=mode), torch.as_tensor(folded.weight), torch.as_tensor(folded.bias))
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_before_a_zero_padded_convolution_raises():
    """The zero of the padding is put behind the batch norm, so no bias is right at the border: that is refused."""
    weight, old, _ = layer(2, 1, False, True)
    with pytest.raises(Unsupported, match=r"pads with zeros.*leftover=\"padding_value\""):
        anybn.fold_conv(
            weight, old, *batch_norm(6, seed=2), place="before", layout="OIHW", eps=EPS, padding_mode="zeros"
        )


def test_before_a_zero_padded_convolution_with_a_padding_value():
    """Padding the input with the returned value instead of zero makes the fold exact at the border too."""
    weight, old, x = layer(2, 2, False, True)
    params, stats = batch_norm(6, seed=2)
    want = F.conv2d(apply_bn(x, params, stats), torch.as_tensor(weight), torch.as_tensor(old), padding=1, groups=2)
    folded = anybn.fold_conv(
        weight,
        old,
        params,
        stats,
        place="before",
        layout="OIHW",
        eps=EPS,
        groups=2,
        padding_mode="zeros",
        leftover="padding_value",
    )
    padded = torch.as_tensor(folded.padding_value)[None, :, None, None].repeat(2, 1, 9, 8)
    padded[:, :, 1:-1, 1:-1] = x
    got = F.conv2d(padded, torch.as_tensor(folded.weight), torch.as_tensor(folded.bias), groups=2)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_a_dead_channel_has_no_padding_value():
    """Where scale is 0 and the offset is not, no input gives the zero of the padding."""
    weight, old, _ = layer(2, 1, False, True)
    params, stats = batch_norm(6, seed=2)
    params.scale[3] = 0
    with pytest.raises(Unsupported, match="scale 0"):
        anybn.fold_conv(
            weight,
            old,
            params,
            stats,
            place="before",
            layout="OIHW",
            eps=EPS,
            padding_mode="zeros",
            leftover="padding_value",
        )


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
def test_before_with_the_shift_left_over(transposed, groups):
    """The shift, run once through the original layer as a constant image, is all that the folded weight leaves out."""
    weight, old, x = layer(2, groups, transposed, True)
    params, stats = batch_norm(6, seed=2)
    how = {"rank": 2, "transposed": transposed, "groups": groups, "stride": 2, "padding": 1}
    want = convolve(apply_bn(x, params, stats), weight, old, **how)
    folded = anybn.fold_conv(
        weight, old, params, stats, place="before", layout=layout_of(2, transposed), eps=EPS, groups=groups, transposed=transposed,
        padding_mode="zeros", leftover="shift",
    )  # fmt: skip
    image = torch.as_tensor(folded.shift)[None, :, None, None].expand(1, *x.shape[1:])
    got = convolve(x, folded.weight, folded.bias, **how) + convolve(image, weight, None, **how)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_before_a_transposed_convolution_raises():
    """Output positions of a transposed convolution see different taps, so the shift is no bias."""
    weight, old, _ = layer(2, 1, True, True)
    with pytest.raises(Unsupported, match="transposed"):
        anybn.fold_conv(
            weight,
            old,
            *batch_norm(6, seed=2),
            place="before",
            layout="IOHW",
            eps=EPS,
            transposed=True,
            padding_mode="none",
            stride=1,
        )


@pytest.mark.parametrize("groups", [1, 2])
def test_before_a_pointwise_transposed_convolution(groups):
    """A transposed convolution with one tap and stride 1 is a matrix at every position, so it folds."""
    rng = np.random.default_rng(0)
    weight, old, x = (
        rng.normal(size=(6, 4 // groups, 1, 1)),
        rng.normal(size=4),
        torch.as_tensor(rng.normal(size=(2, 6, 3, 3))),
    )
    params, stats = batch_norm(6, seed=2)
    how = {"rank": 2, "transposed": True, "groups": groups}
    folded = anybn.fold_conv(
        weight,
        old,
        params,
        stats,
        place="before",
        layout="IOHW",
        eps=EPS,
        groups=groups,
        transposed=True,
        padding_mode="none",
        stride=1,
    )
    want = convolve(apply_bn(x, params, stats), weight, old, **how)
    np.testing.assert_allclose(convolve(x, folded.weight, folded.bias, **how), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", ["OIHW", "HWIO", "OHWI", "HWOI", "IOHW"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_the_order_of_the_axes_does_not_matter(layout, place):
    """The same kernel in another layout folds to the same kernel in that layout."""
    weight, old, _ = layer(2, 1, False, True)
    bn = batch_norm(4 if place == "after" else 6, seed=4)
    order = ["OIHW".index(letter) for letter in layout]
    want = anybn.fold_conv(weight, old, *bn, place=place, layout="OIHW", eps=EPS, padding_mode="none")
    got = anybn.fold_conv(weight.transpose(order), old, *bn, place=place, layout=layout, eps=EPS, padding_mode="none")
    np.testing.assert_array_equal(got.weight, want.weight.transpose(order))
    np.testing.assert_allclose(got.bias, want.bias, rtol=1e-13)


@pytest.mark.parametrize("place", ["before", "after"])
def test_depthwise(place):
    """A depthwise kernel (HWIM, output channel i*M + m) folds as the grouped convolution it is."""
    rng = np.random.default_rng(5)
    kernel, x = rng.normal(size=(3, 2, 3, 2)), torch.as_tensor(rng.normal(size=(2, 3, 6, 6)))

    def depthwise(x, kernel, bias):
        grouped = torch.as_tensor(kernel).permute(2, 3, 0, 1).reshape(6, 1, 3, 2)
        return F.conv2d(x, grouped, None if bias is None else torch.as_tensor(bias), groups=3)

    params, stats = batch_norm(6 if place == "after" else 3, seed=6)
    folded = anybn.fold_conv(kernel, None, params, stats, place=place, layout="HWIM", eps=EPS, padding_mode="none")
    whole = (
        apply_bn(depthwise(x, kernel, None), params, stats)
        if place == "after"
        else depthwise(apply_bn(x, params, stats), kernel, None)
    )
    np.testing.assert_allclose(depthwise(x, folded.weight, folded.bias), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", ["OI", "IO"])
@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(layout, place, bias):
    """A linear layer folds exactly on both sides."""
    rng = np.random.default_rng(7)
    weight, old, x = (
        rng.normal(size=(4, 6)),
        rng.normal(size=4) if bias else None,
        torch.as_tensor(rng.normal(size=(5, 6))),
    )
    params, stats = batch_norm(4 if place == "after" else 6, seed=8)

    def linear(x, weight, bias):
        return F.linear(x, torch.as_tensor(weight), None if bias is None else torch.as_tensor(bias))

    want = (
        apply_bn(linear(x, weight, old), params, stats)
        if place == "after"
        else linear(apply_bn(x, params, stats), weight, old)
    )
    folded = anybn.fold_linear(
        weight if layout == "OI" else weight.T, old, params, stats, place=place, layout=layout, eps=EPS
    )
    np.testing.assert_allclose(
        linear(x, folded.weight if layout == "OI" else folded.weight.T, folded.bias), want, rtol=1e-12
    )


@pytest.mark.parametrize(("scale", "offset"), [(True, False), (False, True), (False, False)])
def test_missing_scale_or_offset(scale, offset):
    """A batch norm without scale multiplies by 1 / std, one without offset subtracts the mean only."""
    weight, old, x = layer(2, 1, False, True)
    params, stats = batch_norm(4, seed=9, scale=scale, offset=offset)
    folded = anybn.fold_conv(weight, old, params, stats, place="after", layout="OIHW", eps=EPS)
    got = F.conv2d(x, torch.as_tensor(folded.weight), torch.as_tensor(folded.bias))
    np.testing.assert_allclose(
        got, apply_bn(F.conv2d(x, torch.as_tensor(weight), torch.as_tensor(old)), params, stats), rtol=1e-12
    )


def test_types_are_kept():
    """A float16 weight is folded in float32 and comes back in float16; the arrays stay in their library and are not changed."""
    weight = torch.ones(4, 6, 1, 1, dtype=torch.float16)
    params = anybn.Params(torch.full((4,), 2.0), torch.zeros(4))
    stats = anybn.RunningStats(mean=torch.full((4,), 3.0), var=torch.full((4,), 4.0))
    folded = anybn.fold_conv(weight, None, params, stats, place="after", layout="OIHW", eps=0.0)
    assert (folded.weight.dtype, folded.bias.dtype) == (torch.float16, torch.float16)
    assert torch.equal(folded.weight, torch.ones_like(weight))
    assert torch.equal(folded.bias, torch.full((4,), -3.0, dtype=torch.float16))
    assert torch.equal(weight, torch.ones_like(weight))


def test_statistics_in_sixteen_bits():
    """Statistics of a model cast to float16 are folded in float32: a small variance keeps its eps."""
    half = torch.float16
    params = anybn.Params(torch.ones(4, dtype=half), torch.zeros(4, dtype=half))
    stats = anybn.RunningStats(mean=torch.zeros(4, dtype=half), var=torch.full((4,), 1e-5, dtype=half))
    folded = anybn.fold_linear(torch.ones(4, 2), None, params, stats, place="after", layout="OI", eps=1e-5)
    np.testing.assert_allclose(folded.weight, np.full((4, 2), 1 / np.sqrt(float(stats.var[0]) + 1e-5)), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "OIH"}, r"got layout 'OIH' for a weight of shape \(4, 6, 2, 3\)"),
        ({"layout": "OIHH"}, "one letter an axis"),
        ({"layout": "OMHW"}, "one letter an axis"),
        ({"groups": 3}, "groups that divide its 4 outputs"),
        ({"groups": 0}, "groups=0"),
        ({"layout": "IOHW"}, r"layer that gives 6"),
        ({"place": "behind"}, "place"),
        ({"place": "before", "padding_mode": None}, "padding_mode"),
    ],
)
def test_refusals(change, message):
    """What does not fit says what it got and what it expected."""
    weight, old, _ = layer(2, 1, False, True)
    arguments = {"place": "after", "layout": "OIHW", "eps": EPS, **change}
    with pytest.raises(BadValue, match=message):
        anybn.fold_conv(weight, old, *batch_norm(4, seed=1), **arguments)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("leftover", ["raise", "padding_value", "shift"])
def test_every_library(lib, place, leftover):
    """Every array library folds a grouped transposed and a padded convolution to NumPy's numbers, in its own arrays."""
    weight, bias, _ = layer(2, 2, place == "after", True)
    channels = 4 if place == "after" else 6
    params, stats = batch_norm(channels, seed=1, offset=leftover != "raise")
    if leftover == "raise":
        stats = stats._replace(mean=np.zeros(channels))
    how = {
        "place": place, "layout": layout_of(2, place == "after"), "eps": EPS, "groups": 2, "transposed": place == "after",
        "padding_mode": "zeros", "leftover": leftover,
    }  # fmt: skip
    want = anybn.fold_conv(weight, bias, params, stats, **how)

    def there(value):
        return None if value is None else lib.array(value)

    here = anybn.RunningStats(there(stats.mean), there(stats.var))
    got = anybn.fold_conv(there(weight), there(bias), anybn.Params(*map(there, params)), here, **how)
    for one, other in zip(got, want, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert type(one) is type(there(weight))
            np.testing.assert_allclose(lib.numpy(one), other, rtol=1e-5, atol=1e-6)


@settings(deadline=None)
@given(data=st.data())
def test_folding_is_composition(data):
    """Folding behind a pointwise grouped convolution, written as a matrix, is the product of the two maps."""
    groups, outs, ins = (data.draw(st.integers(1, 3), label=name) for name in ("groups", "outs", "ins"))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))
    weight, x = rng.normal(size=(groups * outs, ins, 1)), rng.normal(size=(groups * ins, 5))
    params, stats = batch_norm(groups * outs, seed=1)

    def run(weight):
        blocks = weight[..., 0].reshape(groups, outs, ins)
        return np.concatenate([block @ x[n * ins : (n + 1) * ins] for n, block in enumerate(blocks)])

    folded = anybn.fold_conv(weight, None, params, stats, place="after", layout="OIW", eps=EPS, groups=groups)
    scale = params.scale / np.sqrt(stats.var + EPS)
    want = (run(weight) - stats.mean[:, None]) * scale[:, None] + params.offset[:, None]
    np.testing.assert_allclose(run(folded.weight) + folded.bias[:, None], want, rtol=1e-9, atol=1e-9)
