"""BN207: a negated flag swaps training and evaluation."""

import pytest

pytestmark = pytest.mark.proof


def test_training_and_evaluation_are_swapped(keras_measures, codes_of):
    """Training moves nothing and predictions depend on the rest of the batch; the right way round neither is so."""
    bad, good = keras_measures["bn207_bad"], keras_measures["bn207_good"]
    assert bad["moved"] == 0
    assert bad["depends"] > 0.5
    assert good["moved"] > 1
    assert good["depends"] == 0
    assert codes_of("bn207_bad") == {"BN207"}
    assert codes_of("bn207_good") == set()
