"""BN111: a norm that predicts in training mode needs the other samples of its batch."""

import pytest

pytestmark = pytest.mark.proof


def test_a_single_sample_cannot_be_predicted(tf1_measures, codes_of):
    """Batches are predicted well, single samples like a coin, and evaluation moves the averages; with the flag all is right."""
    bad, good = tf1_measures["bn111_bad"], tf1_measures["bn111_good"]
    assert bad["accuracy"] > 0.95
    assert bad["single"] < 0.7
    assert bad["drift"] > 1
    assert good["single"] > 0.95
    assert good["drift"] == 0
    assert codes_of("bn111_bad") & {"BN111", "BN201"}
    assert codes_of("bn111_good") == set()
