"""A Flax classifier that throws its running statistics away after every step.

pip install flax optax jax && python flax_updates.py
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn


def make_data(seed, count=512):
    """Two classes in eight features, far from zero and on a large scale."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    features = 20 + 5 * rng.standard_normal((count, 8)) + 6 * labels[:, None]
    return jnp.asarray(features, jnp.float32), jnp.asarray(labels)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        x = nn.relu(nn.Dense(16)(x))
        return nn.Dense(2)(x)


model = Net()
optimizer = optax.adam(0.01)


@jax.jit
def train_step(params, batch_stats, opt_state, x, y):
    def loss_of(params):
        variables = {"params": params, "batch_stats": batch_stats}
        logits, _ = model.apply(variables, x, train=True, mutable=["batch_stats"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    gradients = jax.grad(loss_of)(params)
    updates, opt_state = optimizer.update(gradients, opt_state)
    return optax.apply_updates(params, updates), batch_stats, opt_state


def main():
    x, y = make_data(0)
    variables = model.init(jax.random.key(0), x, train=True)
    params, batch_stats = variables["params"], variables["batch_stats"]
    opt_state = optimizer.init(params)
    for step in range(200):
        x, y = make_data(step, 64)
        params, batch_stats, opt_state = train_step(params, batch_stats, opt_state, x, y)

    x, y = make_data(10_000)
    logits = model.apply({"params": params, "batch_stats": batch_stats}, x, train=False)
    mean = batch_stats["BatchNorm_0"]["mean"]
    print(f"running mean of the first feature: {mean[0]:.2f} (data: {x[:, 0].mean():.2f})")
    print(f"accuracy in evaluation: {(logits.argmax(1) == y).mean():.2f}")


if __name__ == "__main__":
    main()
