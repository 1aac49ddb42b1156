"""BN110: a learning phase of 1 in a program that predicts."""

import pytest

pytestmark = pytest.mark.proof


def test_predictions_depend_on_the_batch(keras2_measures, codes_of):
    """A row is classified differently alone and in company, and differently from predict()."""
    bad, good = keras2_measures["bn110_bad"], keras2_measures["bn110_good"]
    assert bad["depends"] > 0.5
    assert bad["differs"] > 0.5
    assert good == {"depends": 0, "differs": 0}
    assert codes_of("bn110_bad") == {"BN110"}
    assert codes_of("bn110_good") == set()
