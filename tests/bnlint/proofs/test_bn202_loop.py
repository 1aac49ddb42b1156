"""BN202: a network that is trained by a loop without training=True keeps its initial statistics."""

import pytest

pytestmark = pytest.mark.proof


def test_the_statistics_never_move(keras_measures, codes_of):
    """The running mean stays at 0 over a whole training; with the flag it follows the data and normalises it."""
    bad, good = keras_measures["bn202_bad"], keras_measures["bn202_good"]
    assert bad["moved"] == 0
    assert good["moved"] > 1
    assert good["spread"] < bad["spread"]
    assert codes_of("bn202_bad") == {"BN202"}
    assert codes_of("bn202_good") == set()
