"""BN309: without averages a norm needs the other samples of the batch for each prediction."""

import pytest

pytestmark = pytest.mark.proof


def test_a_single_sample_cannot_be_predicted(tf1_measures, codes_of):
    """Batches are predicted well and single samples like a coin; with averages that are run both are right."""
    bad, good = tf1_measures["bn309_bad"], tf1_measures["bn309_good"]
    assert bad["accuracy"] > 0.95
    assert bad["single"] < 0.7
    assert good["accuracy"] > 0.95
    assert good["single"] > 0.95
    assert "BN309" in codes_of("bn309_bad")
    assert codes_of("bn309_good") == set()
