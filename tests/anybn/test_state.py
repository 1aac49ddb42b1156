"""The state: closed forms after k steps for every preset, and saving and loading across libraries."""

import importlib

import ml_dtypes
import numpy as np
import pytest

import anybn
from anybn import convert

X = np.array([[1, -2], [3, 0], [5, 4], [7, 6]], dtype=np.float64)
MEAN, VAR, COUNT = X.mean(0), X.var(0), 4
STEPS = [0, 1, 2, 10, 1000]


def closed_form(semantics, k):
    """Mean and variance after k steps on the same batch, from what the preset says, not from the code that does it."""
    target = VAR.copy()
    for correction in semantics.corrections:
        target = target * COUNT / (COUNT - correction)
    if semantics.renorm is not None:
        std = np.sqrt(VAR + semantics.eps)
        kept = semantics.decay**k
        moved = kept + (1 - kept) * std
        return (1 - kept) * MEAN, np.maximum(moved**2 - semantics.eps, 0) if k else np.ones(2)
    steps = max(0, k - 1) if semantics.first == "ignore" else k
    old = 0.0 if semantics.decay is None else semantics.decay**steps
    if steps and (semantics.decay is None or semantics.first == "replace"):
        old = 0.0
    old = 1.0 if steps == 0 else old
    mean_old = 0.0 if semantics.debias != "none" and steps else old
    var_old = 0.0 if semantics.debias == "both" and steps else old
    return (1 - mean_old) * MEAN, var_old + (1 - var_old) * target


@pytest.mark.parametrize("k", STEPS)
@pytest.mark.parametrize("name", sorted(anybn.PRESETS))
def test_closed_form_after_k_steps(name, k):
    """After k equal batches the running statistics are the formula's, in float64 to 12 digits."""
    semantics = anybn.PRESETS[name]
    params, state = anybn.init(2, xp=np, dtype=np.float64, semantics=semantics)
    for _ in range(k):
        _, state = anybn.batch_norm(X, params, state, training=True, semantics=semantics)
    mean, var = closed_form(semantics, k)
    np.testing.assert_allclose(state.mean, mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(state.var, var, rtol=1e-11)
    assert state.steps == k


@pytest.mark.parametrize("name", ["torch_cumulative", "haiku", "contrib_zero_debias", "cudnn", "equinox_batch"])
def test_counter_as_array_gives_the_same(lib, name):
    """Steps as a 0-d array (compilers, checkpoints) and as a Python int move the statistics alike."""
    batches = [X, 2 * X, 3 * X]
    params, one = anybn.init(2, xp=lib.xp, semantics=name)
    other = one._replace(steps=lib.xp.asarray(0), skipped=lib.xp.asarray(0))
    for batch in batches:
        _, one = anybn.batch_norm(lib.array(batch), params, one, training=True, semantics=name)
        _, other = anybn.batch_norm(lib.array(batch), params, other, training=True, semantics=name)
    np.testing.assert_allclose(lib.numpy(other.mean), lib.numpy(one.mean), rtol=2e-6)
    np.testing.assert_allclose(lib.numpy(other.var), lib.numpy(one.var), rtol=2e-6)
    assert int(other.steps) == one.steps == 3


@pytest.mark.parametrize("decay", [0.0, 1.0])
@pytest.mark.parametrize("name", ["torch", "haiku", "keras"])
def test_ends_of_decay(lib, name, decay):
    """decay=1 freezes and still counts, even on a NaN batch; decay=0 takes the last batch."""
    params, state = anybn.init(2, xp=lib.xp, semantics=name)
    _, new = anybn.batch_norm(lib.array(X), params, state, training=True, semantics=name, decay=decay)
    assert int(new.steps) == 1
    np.testing.assert_allclose(lib.numpy(new.mean), MEAN * (1 - decay), rtol=1e-6)
    _, new = anybn.batch_norm(lib.array(X * np.nan), params, state, training=True, semantics=name, decay=1.0)
    np.testing.assert_array_equal(lib.numpy(new.var), [1, 1])


@pytest.mark.parametrize("steps", [0, 3])
def test_division_in_evaluation_with_a_counter_as_array(lib, steps):
    """The quirk of Equinox divides alike by an int and by an array; not at step 0, and not at the ends of decay."""
    name = "equinox_batch_divided_var"
    state = anybn.RunningStats(lib.array([1, 2]), lib.array([3, 4]), steps)
    counted = state._replace(steps=lib.xp.asarray(steps))
    x = lib.array(X)
    for decay in (0.9, 0.0, 1.0):
        y, z = (
            anybn.batch_norm(x, None, one, training=False, semantics=name, decay=decay)[0] for one in (state, counted)
        )
        np.testing.assert_allclose(lib.numpy(y), lib.numpy(z), rtol=1e-6)
        total = 1 - decay**steps if steps and 0 < decay < 1 else 1
        want = (X - np.array([1, 2]) / total) / np.sqrt(np.array([3, 4]) / total + 1e-5)
        np.testing.assert_allclose(lib.numpy(y), want, rtol=1e-5)


def test_counters_of_either_kind_load(lib):
    """A checkpoint's 0-d counter goes into a layer that counts with an int, and the other way round."""
    layer = anybn.BatchNorm(2, xp=lib.xp)
    mapping = layer.state_dict() | {"running_steps": lib.xp.asarray(7)}
    layer.load_state_dict(mapping)
    assert layer.state.steps == 7
    layer.state = layer.state._replace(steps=lib.xp.asarray(0))
    layer.load_state_dict(mapping | {"running_steps": 9})
    assert int(layer.state.steps) == 9


def test_guard_with_renorm_keeps_all_statistics(lib):
    """A refused batch moves none of the five statistics."""
    _, state = anybn.init(2, xp=lib.xp, semantics="keras_renorm")
    bad = X.copy()
    bad[0, 0] = np.nan
    _, new = anybn.batch_norm(lib.array(bad), None, state, training=True, semantics="keras_renorm", guard=True)
    for before, after in zip(state, new, strict=True):
        if getattr(before, "shape", ()):
            np.testing.assert_array_equal(lib.numpy(after), lib.numpy(before))
    assert (int(new.steps), int(new.skipped)) == (0, 1)


def trained(lib, name="keras_renorm"):
    layer = anybn.BatchNorm(2, xp=lib.xp, semantics=name, decay=0.7, eps=3e-4)
    for k in (1, 2, 3):
        layer(lib.array(X * k), training=True)
    return layer


def test_mapping_round_trip(lib):
    """A layer loaded from another's mapping answers the same, bit for bit; the mapping holds what exists only."""
    layer = trained(lib)
    mapping = layer.state_dict()
    assert set(mapping) == {"scale", "offset", *(f"running_{n}" for n in anybn.RunningStats._fields)}
    other = anybn.BatchNorm(2, xp=lib.xp, semantics="keras_renorm")
    other.semantics = layer.semantics
    other.load_state_dict(mapping)
    for training in (False, True):
        y, z = (one(lib.array(X), training=training) for one in (layer, other))
        np.testing.assert_array_equal(lib.numpy(y), lib.numpy(z))
    assert "scale" not in anybn.BatchNorm(2, xp=lib.xp, semantics="contrib").state_dict()


@pytest.mark.parametrize("target", ["numpy", "torch", "jax.numpy", "array_api_strict"])
def test_safetensors_across_libraries(lib, target, tmp_path):
    """Saved from one library and loaded into another: the same bits and the same semantics."""
    pytest.importorskip("safetensors")
    xp = pytest.importorskip(target)
    layer = trained(lib)
    layer.save(tmp_path / "bn.safetensors")
    other = anybn.BatchNorm(2, xp=xp)
    with pytest.raises(ValueError, match="state_dict has other names"):
        other.load(tmp_path / "bn.safetensors")
    assert other.semantics == anybn.PRESETS["torch"]
    other = anybn.BatchNorm(2, xp=xp, semantics="keras_renorm")
    other.load(tmp_path / "bn.safetensors")
    assert other.semantics == layer.semantics
    for mine, theirs in zip(layer.state, other.state, strict=True):
        value = theirs._array if target == "array_api_strict" and hasattr(theirs, "_array") else theirs
        np.testing.assert_array_equal(np.asarray(value), mine if isinstance(mine, int) else lib.numpy(mine))


def test_safetensors_is_a_normal_file(tmp_path):
    """The package's own NumPy reader reads it; prefixes keep several layers apart."""
    reader = pytest.importorskip("safetensors.numpy")
    params, state = anybn.init(2, xp=np)
    convert.save(tmp_path / "bn.safetensors", convert.Snapshot(params, state, anybn.PRESETS["torch"]), prefix="net.bn")
    found = reader.load_file(tmp_path / "bn.safetensors")
    np.testing.assert_array_equal(found["net.bn.running_var"], [1, 1])
    loaded = convert.load(tmp_path / "bn.safetensors", xp=np, prefix="net.bn")
    assert loaded.semantics.name == "torch"
    with pytest.raises(ValueError, match=r"no anybn layer in this file: got .*; expected .*; try the prefix"):
        convert.load(tmp_path / "bn.safetensors", xp=np)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_safetensors_keeps_every_bit(dtype, tmp_path):
    """Parameters of every type come back bit for bit (bfloat16 into the same type where the library has it)."""
    pytest.importorskip("safetensors")
    torch = pytest.importorskip("torch")
    scale = torch.randn(5).to(getattr(torch, dtype))
    params, state = anybn.init(5, xp=torch)
    convert.save(tmp_path / "a", convert.Snapshot(params._replace(scale=scale), state, anybn.PRESETS["torch"]))
    loaded = convert.load(tmp_path / "a", xp=torch)
    assert loaded.params.scale.dtype == scale.dtype
    assert torch.equal(loaded.params.scale, scale)
    assert np.dtype(ml_dtypes.bfloat16).itemsize == 2


def test_without_safetensors(monkeypatch, tmp_path):
    """The error names the extra."""
    monkeypatch.setitem(importlib.import_module("sys").modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"safetensors is needed for files: got .*; expected .*; try pip install"):
        anybn.BatchNorm(2, xp=np).save(tmp_path / "x")


def test_unknown_names():
    """A mapping of another framework is refused, with the way to its converter."""
    with pytest.raises(ValueError, match=r"this is no saved anybn layer: got weight; .*; try anybn.convert.from_torch"):
        convert.from_mapping({"weight": np.ones(3)})
