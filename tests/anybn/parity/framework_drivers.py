"""Run the batch norm layers of the real frameworks from plain arrays, several training steps and evaluations, and give plain arrays back.

Every driver has the signature ``drive(arrays, arguments, batches, probe) -> Drive``; batches and probe are NumPy arrays (N, C) or channels
last (N, H, W, C). A driver imports its framework when it is called, so this module imports none of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Arrays = Mapping[str, Any]


class Drive(NamedTuple):
    """What a framework's layer answered: in training, one output a batch; in evaluation on the probe, before and after each batch."""

    trained: list[np.ndarray]
    evaluated: list[np.ndarray]
    arrays: dict[str, np.ndarray]


def numpy_of(tree: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Copy a mapping of arrays of any library to NumPy (a copy: torch and Keras update theirs in place)."""
    return {name: np.array(value) for name, value in tree.items()}


def torch_layer(
    arrays: Arrays, arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray
) -> Drive:
    """torch.nn.BatchNorm1d or 2d, by the rank of the probe."""
    import torch

    kind = torch.nn.BatchNorm2d if probe.ndim == 4 else torch.nn.BatchNorm1d
    layer = kind(**arguments)
    layer.load_state_dict({name: torch.as_tensor(np.array(value)) for name, value in arrays.items()})

    def run(x: np.ndarray) -> np.ndarray:
        y = layer(torch.as_tensor(np.moveaxis(x, -1, 1).copy()))
        return np.moveaxis(y.detach().numpy(), 1, -1)

    trained, evaluated = [], [run(probe)] if not layer.eval().training else []
    for batch in batches:
        layer.train()
        trained.append(run(batch))
        layer.eval()
        evaluated.append(run(probe))
    return Drive(trained, evaluated, numpy_of(layer.state_dict()))


def _keras_like(layers: Any) -> Callable[..., Drive]:
    def drive(arrays: Arrays, arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray) -> Drive:
        layer = layers.BatchNormalization(**arguments)
        layer.build(probe.shape)
        names = [weight.name.split("/")[-1].split(":")[0] for weight in layer.weights]
        assert sorted(names) == sorted(arrays), (names, list(arrays))
        layer.set_weights([np.array(arrays[name]) for name in names])
        trained, evaluated = [], [np.array(layer(probe, training=False))]
        for batch in batches:
            trained.append(np.array(layer(batch, training=True)))
            evaluated.append(np.array(layer(probe, training=False)))
        return Drive(trained, evaluated, dict(zip(names, map(np.array, layer.get_weights()), strict=True)))

    return drive


def keras_layer(
    arrays: Arrays, arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray
) -> Drive:
    """keras.layers.BatchNormalization of Keras 3, any backend."""
    import keras

    return _keras_like(keras.layers)(arrays, arguments, batches, probe)


def tf_keras_layer(
    arrays: Arrays, arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray
) -> Drive:
    """tf_keras.layers.BatchNormalization, Keras 2; arguments may hold fused."""
    import tf_keras

    return _keras_like(tf_keras.layers)(arrays, arguments, batches, probe)


def tf1_layer(arrays: Arrays, arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray) -> Drive:
    """tf.compat.v1.layers.batch_normalization, as tf_keras keeps it."""
    from tf_keras.src.legacy_tf_layers import normalization

    return _keras_like(normalization)(arrays, arguments, batches, probe)


def flax_layer(
    arrays: Mapping[str, Any], arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray
) -> Drive:
    """flax.linen.BatchNorm; arrays is the tree {"params": {…}, "batch_stats": {…}}."""
    import flax.linen as nn
    import jax.numpy as jnp

    layer = nn.BatchNorm(**arguments)
    variables: Any = {
        name: {key: jnp.asarray(value) for key, value in tree.items()} for name, tree in arrays.items() if tree
    }

    def evaluate() -> np.ndarray:
        return np.array(layer.apply(variables, jnp.asarray(probe), use_running_average=True))

    trained, evaluated = [], [evaluate()]
    for batch in batches:
        y, moved = layer.apply(variables, jnp.asarray(batch), use_running_average=False, mutable=["batch_stats"])
        variables = {**variables, **moved}
        trained.append(np.array(y))
        evaluated.append(evaluate())
    return Drive(trained, evaluated, {name: numpy_of(tree) for name, tree in variables.items()})  # type: ignore[misc]


def nnx_layer(arrays: Arrays, arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray) -> Drive:
    """flax.nnx.BatchNorm; arrays by its attributes."""
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.BatchNorm(**arguments, rngs=nnx.Rngs(0))
    nnx.update(layer, {name: jnp.asarray(value) for name, value in arrays.items()})
    trained, evaluated = [], [np.array(layer(jnp.asarray(probe), use_running_average=True))]
    for batch in batches:
        trained.append(np.array(layer(jnp.asarray(batch), use_running_average=False)))
        evaluated.append(np.array(layer(jnp.asarray(probe), use_running_average=True)))
    return Drive(trained, evaluated, numpy_of(nnx.to_pure_dict(nnx.state(layer))))


def paddle_layer(
    arrays: Arrays, arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray
) -> Drive:
    """paddle.nn.BatchNorm2D on CPU."""
    import paddle

    layer = paddle.nn.BatchNorm2D(**arguments)
    missing, unexpected = layer.set_state_dict(
        {name: paddle.to_tensor(np.array(value)) for name, value in arrays.items()}
    )
    assert not missing + unexpected, (missing, unexpected)

    def run(x: np.ndarray) -> np.ndarray:
        return np.moveaxis(layer(paddle.to_tensor(np.moveaxis(x, -1, 1).copy())).numpy(), 1, -1)

    layer.eval()
    trained, evaluated = [], [run(probe)]
    for batch in batches:
        layer.train()
        trained.append(run(batch))
        layer.eval()
        evaluated.append(run(probe))
    return Drive(trained, evaluated, {name: value.numpy().copy() for name, value in layer.state_dict().items()})


def haiku_layer(
    arrays: Mapping[str, Any], arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray
) -> Drive:
    """haiku.BatchNorm; arrays is {"params": {module: {…}}, "state": {module: {…}}}."""
    import haiku as hk
    import jax
    import jax.numpy as jnp

    net = hk.transform_with_state(
        lambda x, training: hk.BatchNorm(**arguments, name="batch_norm")(x, is_training=training)
    )
    params, state = (jax.tree.map(jnp.asarray, dict(arrays[key])) for key in ("params", "state"))

    def evaluate() -> np.ndarray:
        return np.array(net.apply(params, state, None, jnp.asarray(probe), False)[0])

    trained, evaluated = [], [evaluate()]
    for batch in batches:
        y, state = net.apply(params, state, None, jnp.asarray(batch), True)
        trained.append(np.array(y))
        evaluated.append(evaluate())
    final = {"params": {k: numpy_of(v) for k, v in params.items()}, "state": {k: numpy_of(v) for k, v in state.items()}}
    return Drive(trained, evaluated, final)  # type: ignore[arg-type]


def equinox_layer(
    arrays: Arrays, arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray
) -> Drive:
    """equinox.nn.BatchNorm under vmap; arrays by the names of convert.to_equinox."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(**arguments, axis_name="batch")
    if layer.weight is not None:
        layer = eqx.tree_at(
            lambda m: (m.weight, m.bias), layer, (jnp.asarray(arrays["weight"]), jnp.asarray(arrays["bias"]))
        )
    if layer.mode == "ema":
        state = state.set(
            layer.ema_state_index, (jnp.asarray(arrays["running_mean"]), jnp.asarray(arrays["running_var"]))
        )
        state = state.set(layer.ema_first_time_index, jnp.asarray(arrays["first_time"]))
    else:
        state = state.set(
            layer.batch_state_index, (jnp.asarray(arrays["hidden_mean"]), jnp.asarray(arrays["hidden_var"]))
        )
        state = state.set(layer.batch_counter, jnp.asarray(arrays["counter"]))

    def call(x: np.ndarray, state: Any, inference: bool) -> tuple[np.ndarray, Any]:
        run = jax.vmap(
            lambda one, s: layer(one, s, inference=inference), axis_name="batch", in_axes=(0, None), out_axes=(0, None)
        )
        y, state = run(jnp.asarray(np.moveaxis(x, -1, 1)), state)
        return np.moveaxis(np.array(y), 1, -1), state

    trained, evaluated = [], [call(probe, state, True)[0]]
    for batch in batches:
        y, state = call(batch, state, False)
        trained.append(y)
        evaluated.append(call(probe, state, True)[0])
    return Drive(trained, evaluated, _equinox_arrays(layer, state))


def _equinox_arrays(layer: Any, state: Any) -> dict[str, Any]:
    """The arrays of a layer by the names of convert.from_equinox."""
    learned = {} if layer.weight is None else {"weight": layer.weight, "bias": layer.bias}
    if layer.mode == "ema":
        mean, var = state.get(layer.ema_state_index)
        return numpy_of(
            {**learned, "running_mean": mean, "running_var": var, "first_time": state.get(layer.ema_first_time_index)}
        )
    mean, var = state.get(layer.batch_state_index)
    return numpy_of({**learned, "hidden_mean": mean, "hidden_var": var, "counter": state.get(layer.batch_counter)})


def slim_layer(arrays: Arrays, arguments: Mapping[str, Any], batches: Sequence[np.ndarray], probe: np.ndarray) -> Drive:
    """tf_slim.layers.batch_norm, the twin of tf.contrib.layers.batch_norm, in a graph; arrays are its variables by name."""
    import tensorflow.compat.v1 as tf
    from tensorflow.python.framework import ops

    if not hasattr(ops, "Tensor"):  # tf_slim 1.1 looks for it where TensorFlow < 2.16 had it
        ops.Tensor = tf.Tensor
    import tf_slim

    scope = next(name for name in arrays if name.endswith("/moving_variance")).removesuffix("/moving_variance")
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, (None, *probe.shape[1:]))
        settings = {**arguments, "scope": scope, "updates_collections": None}
        train = tf_slim.layers.batch_norm(x, is_training=True, **settings)
        evaluate = tf_slim.layers.batch_norm(x, is_training=False, reuse=True, **settings)
        variables = {variable.op.name: variable for variable in tf.global_variables()}
        assert sorted(variables) == sorted(arrays), (sorted(variables), sorted(arrays))
        session.run([variable.assign(np.array(arrays[name])) for name, variable in variables.items()])
        trained, evaluated = [], [session.run(evaluate, {x: probe})]
        for batch in batches:
            trained.append(session.run(train, {x: batch}))
            evaluated.append(session.run(evaluate, {x: probe}))
        return Drive(trained, evaluated, session.run(variables))
