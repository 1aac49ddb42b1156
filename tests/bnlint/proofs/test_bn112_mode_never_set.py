"""BN112: an nnx model that is evaluated without eval()."""

import pytest

pytestmark = pytest.mark.proof


def test_evaluation_is_a_training_pass(jax_measures, codes_of):
    """Predictions depend on the rest of the batch and evaluation moves the statistics; after eval() neither is so."""
    bad, good = jax_measures["bn112_bad"], jax_measures["bn112_good"]
    assert bad["depends"] > 0.1
    assert bad["drift"] > 0.1
    assert good == {"depends": 0, "drift": 0}
    assert codes_of("bn112_bad") == {"BN112"}
    assert codes_of("bn112_good") == set()
