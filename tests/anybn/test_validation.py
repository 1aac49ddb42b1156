"""Every message, by its text: what is wrong, got, expected, try. None holds an unfilled brace."""

import re

import numpy as np
import pytest

import anybn

X = np.ones((4, 3), dtype=np.float32)
IMAGES = np.ones((2, 3, 4, 5), dtype=np.float32)
THREE = np.ones(3, dtype=np.float32)
FOUR = np.ones(4, dtype=np.float32)
STATE = anybn.RunningStats(THREE, THREE)


def call(x=X, params=None, state=STATE, *, training=True, **options):
    """A good call, except for what the case changes."""
    return anybn.batch_norm(x, params, state, training=training, **options)


CASES = {
    "training is no bool": (
        lambda: call(training=1),
        TypeError,
        (
            "training must be a Python bool: got int 1; expected True or False, known before the computation; "
            "try two calls, one for training and one for evaluation"
        ),
    ),
    "a list": (
        lambda: call([[1.0, 2.0, 3.0]]),
        TypeError,
        (
            "not an array: got builtins.list; expected an array of a library that follows the array API standard; "
            "try numpy.asarray(x) or torch.as_tensor(x)"
        ),
    ),
    "integers": (
        lambda: call(np.ones((4, 3), dtype=np.int64)),
        TypeError,
        (
            "x is not real floating-point data: got dtype int64; expected float16, bfloat16, float32 or float64; "
            "try xp.astype(x, xp.float32)"
        ),
    ),
    "complex": (
        lambda: call(np.ones((4, 3), dtype=np.complex64)),
        TypeError,
        (
            "x is not real floating-point data: got dtype complex64; expected float16, bfloat16, float32 or float64; "
            "try the real and imaginary parts as two channels"
        ),
    ),
    "unbatched": (
        lambda: call(THREE),
        ValueError,
        (
            "x has too few axes: got shape (3,); expected a batch: rank 2 or more, such as (N, C) or (N, C, H, W); "
            "try adding a batch axis: x[None, ...]"
        ),
    ),
    "axis out of range": (
        lambda: call(axis=2),
        ValueError,
        (
            "axis is out of range: got axis 2 for 2 axes; expected integers from -2 to 1; "
            "try axis=1 for (N, C, ...) or axis=-1 for channels last"
        ),
    ),
    "axis is no integer": (
        lambda: call(axis=1.0),
        ValueError,
        (
            "axis is out of range: got axis 1.0 for 2 axes; expected integers from -2 to 1; "
            "try axis=1 for (N, C, ...) or axis=-1 for channels last"
        ),
    ),
    "axis twice": (
        lambda: call(IMAGES, axis=(1, -3)),
        ValueError,
        (
            "axis must name each channel axis once: got axis (1, -3); expected one axis or several different ones; "
            "try axis=1 or axis=(1, 2)"
        ),
    ),
    "no axis left": (
        lambda: call(axis=(0, 1)),
        ValueError,
        (
            "axis leaves nothing to average over: got axis (0, 1) for shape (4, 3); expected at least one axis that is not "
            "a channel axis; try naming only the channel axes"
        ),
    ),
    "scale of another size": (
        lambda: call(params=anybn.Params(scale=FOUR)),
        ValueError,
        (
            "scale does not match the channel axis: got shape (4,) for x of shape (4, 3) with axis (1,); "
            "expected shape (3,); try axis=0"
        ),
    ),
    "offset of another rank": (
        lambda: call(params=anybn.Params(offset=np.ones((1, 3), np.float32))),
        ValueError,
        (
            "offset does not match the channel axis: got shape (1, 3) for x of shape (4, 3) with axis (1,); "
            "expected shape (3,); try one value per channel, and the right axis="
        ),
    ),
    "integer scale": (
        lambda: call(params=anybn.Params(scale=np.ones(3, np.int64))),
        TypeError,
        (
            "scale is not real floating-point data: got dtype int64; expected float16, bfloat16, float32 or float64; "
            "try xp.astype(scale, xp.float32)"
        ),
    ),
    "running mean of another size": (
        lambda: call(IMAGES, state=anybn.RunningStats(np.ones(5, np.float32), THREE)),
        ValueError,
        (
            "running mean does not match the channel axis: got shape (5,) for x of shape (2, 3, 4, 5) with axis (1,); "
            "expected shape (3,); try axis=3"
        ),
    ),
    "16-bit state": (
        lambda: call(state=anybn.RunningStats(THREE, THREE.astype(np.float16))),
        TypeError,
        (
            "running var is kept too coarsely: got dtype float16; expected float32 or float64, also for 16-bit inputs "
            "(a float16 variance ends at 65504); try xp.astype(..., xp.float32) on the state"
        ),
    ),
    "evaluation without state": (
        lambda: call(state=None, training=False),
        TypeError,
        (
            "evaluation needs running statistics: got state=None; expected a RunningStats; "
            "try anybn.init(...) for a new one, or training=True to normalise by the batch"
        ),
    ),
    "renorm without its statistics": (
        lambda: call(semantics="keras_renorm"),
        ValueError,
        (
            "the state lacks the renorm statistics: got a RunningStats without std, renorm_mean or renorm_std; "
            "expected all three, as 'keras_renorm' keeps them; try anybn.init(..., semantics='keras_renorm')"
        ),
    ),
    "params are no Params": (
        lambda: call(params=THREE),
        TypeError,
        (
            "params are no Params: got numpy.ndarray; expected anybn.Params(scale, offset), each an array or None; "
            "try anybn.Params(scale=..., offset=...)"
        ),
    ),
    "state is no RunningStats": (
        lambda: call(state={"mean": THREE}),
        TypeError,
        (
            "state is no RunningStats: got builtins.dict; expected anybn.RunningStats(mean, var); "
            "try anybn.RunningStats(mean=..., var=...) or anybn.init(...)"
        ),
    ),
    "unknown semantics": (
        lambda: call(semantics="kears"),
        ValueError,
        f"unknown semantics: got 'kears'; expected one of {', '.join(anybn.PRESETS)}; try 'keras' or 'keras2' or 'keras_2_3'",
    ),
    "semantics of another type": (
        lambda: call(semantics=3),
        TypeError,
        "semantics is no preset: got int; expected a name such as 'torch' or a Semantics; try semantics='torch'",
    ),
    "decay outside [0, 1]": (
        lambda: call(decay=1.5),
        ValueError,
        (
            "decay is no weight: got 1.5; expected the weight of the OLD running value, from 0 to 1, or None for the "
            "cumulative average; try decay = 1 - momentum for PyTorch's momentum, decay = momentum for Keras'"
        ),
    ),
    "decay is NaN": (
        lambda: anybn.PRESETS["torch"].but(decay=float("nan")),
        ValueError,
        (
            "decay is no weight: got nan; expected the weight of the OLD running value, from 0 to 1, or None for the "
            "cumulative average; try decay = 1 - momentum for PyTorch's momentum, decay = momentum for Keras'"
        ),
    ),
    "negative eps": (
        lambda: call(eps=-1e-3),
        ValueError,
        (
            "eps must not be negative: got -0.001; expected a small number such as 1e-5, added to the variance; "
            "try eps=1e-5 (PyTorch) or eps=1e-3 (Keras)"
        ),
    ),
    "eps is an array": (
        lambda: call(eps=np.asarray(1e-3)),
        TypeError,
        (
            "eps is no Python number: got numpy.ndarray; expected a float (a 0-d array would change the dtype of the "
            "result in some libraries); try float(eps)"
        ),
    ),
    "decay is an array": (
        lambda: call(decay=THREE),
        TypeError,
        (
            "decay is no Python number: got numpy.ndarray; expected a float (a 0-d array would change the dtype of the "
            "result in some libraries); try float(decay)"
        ),
    ),
    "mask of another shape": (
        lambda: call(IMAGES, mask=np.ones((3,), bool)),
        ValueError,
        (
            "mask does not match x: got shape (3,) for x of shape (2, 3, 4, 5) with axis (1,); expected (2,) (samples), "
            "(2, 4, 5) (all but the channels), or x's rank with ones; try mask[..., None] to add the missing axes"
        ),
    ),
    "mask of numbers": (
        lambda: call(mask=FOUR),
        TypeError,
        (
            "mask is not boolean: got dtype float32; expected bool, True where a value counts; "
            "try mask != 0, or weights= for real weights"
        ),
    ),
    "weights of another shape": (
        lambda: call(weights=np.ones((4, 2), np.float32)),
        ValueError,
        (
            "weights does not match x: got shape (4, 2) for x of shape (4, 3) with axis (1,); expected (4,) (samples), "
            "(4,) (all but the channels), or x's rank with ones; try weights[..., None] to add the missing axes"
        ),
    ),
    "ghost batches that do not divide": (
        lambda: call(ghost=3),
        ValueError,
        (
            "ghost batches do not divide the batch: got ghost=3 for 4 samples; expected a positive divisor of the number of "
            "samples; try ghost=4 or drop_last=True"
        ),
    ),
    "ghost batches of running statistics": (
        lambda: call(ghost=2, semantics="equinox_ema"),
        NotImplementedError,
        (
            "ghost batches with these semantics: got ghost=2 and semantics 'equinox_ema'; expected semantics that normalise "
            "by the batch alone; try either ghost= or renorm, not both"
        ),
    ),
    "ghost batches over processes": (
        lambda: call(ghost=2, reduce=lambda moments: moments),
        NotImplementedError,
        (
            "ghost batches over several processes: got ghost=2 and reduce=; expected one of them: a ghost batch is smaller "
            "than a process' batch; try ghost= without reduce="
        ),
    ),
    "one value per channel": (
        lambda: call(X[:1]),
        ValueError,
        (
            "one value per channel has no variance: got x of shape (1, 3) with axis (1,), in training; expected more per "
            "channel (semantics 'torch'); try training=False, a larger batch, drop_last=True, or semantics='keras'"
        ),
    ),
    "an empty batch": (
        lambda: call(X[:0], semantics=anybn.PRESETS["torch"].but(empty="raise")),
        ValueError,
        (
            "an empty batch: got x of shape (0, 3) with axis (1,), in training; expected at least one value per channel "
            "(semantics 'torch'); try training=False, a larger batch, drop_last=True, or semantics='keras'"
        ),
    ),
    "no such kernel": (
        lambda: anybn.kernels.use("fast").__enter__(),
        ValueError,
        "no such kernel: got 'fast'; expected one of " + repr([row.name for row in anybn.kernels.rows()]) + "; "
        "try 'portable'",
    ),
    "state_dict with other names": (
        lambda: anybn.BatchNorm(3, xp=np).load_state_dict({"weight": THREE}),
        ValueError,
        (
            "state_dict has other names: got ['weight']; expected ['offset', 'running_mean', 'running_skipped', "
            "'running_steps', 'running_var', 'scale']; try a layer with the same semantics, or anybn.convert for another "
            "framework's names"
        ),
    ),
    "state_dict of another shape": (
        lambda: anybn.BatchNorm(3, xp=np).load_state_dict(anybn.BatchNorm(4, xp=np).state_dict()),
        ValueError,
        "scale has another shape: got (4,); expected (3,); try a layer with that number of channels",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_message(case):
    """The error is an AnybnError and of the builtin kind, and says all four parts."""
    act, kind, text = CASES[case]
    with pytest.raises(kind) as caught:
        act()
    assert isinstance(caught.value, anybn.AnybnError)
    assert str(caught.value) == text
    assert re.fullmatch(r"[^:]+: got .+; expected .+; try .+", text, re.DOTALL)
    assert "{" not in text


def test_two_libraries():
    """Arrays of two libraries never meet silently."""
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError) as caught:
        call(torch.ones(4, 3))
    assert str(caught.value) == (
        "arrays of two libraries: got torch and numpy; expected x, params, state, mask and weights of one library; "
        "try xp.asarray(...) of torch on the parameters and the state"
    )


@pytest.mark.parametrize("name", ["x", "scale", "mean", "mask"])
def test_every_case_names_its_argument(name):
    """The cases above speak of each argument."""
    assert any(re.search(rf"\b{name}\b", text) for _, _, text in CASES.values())
