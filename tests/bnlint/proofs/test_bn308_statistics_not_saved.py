"""BN308: moving statistics are not trainable, so a checkpoint of the trainable variables does not hold them."""

import pytest

pytestmark = pytest.mark.proof


def test_a_restored_model_has_lost_its_statistics(tf1_measures, codes_of):
    """Saved and restored, the statistics are the initial ones and accuracy is a coin's; with all variables both are kept."""
    bad, good = tf1_measures["bn308_bad"], tf1_measures["bn308_good"]
    assert bad["mean"] == 0
    assert bad["variance"] == 0
    assert bad["accuracy"] < 0.7
    assert good["mean"] > 1
    assert good["accuracy"] > 0.95
    assert "BN308" in codes_of("bn308_bad")
    assert codes_of("bn308_good") == set()
