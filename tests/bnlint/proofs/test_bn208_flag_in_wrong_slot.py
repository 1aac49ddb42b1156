"""BN208: True in the slot of axis is axis 1, and the norm stays in inference mode."""

import pytest

pytestmark = pytest.mark.proof


def test_the_norm_stays_in_inference_mode(tf1_measures, codes_of):
    """After 100 steps the moving statistics are the initial ones; with the flag named they move."""
    bad, good = tf1_measures["bn208_bad"], tf1_measures["bn208_good"]
    assert bad["mean"] == 0
    assert bad["variance"] == 0
    assert bad["accuracy"] < 0.7
    assert good["mean"] > 1
    assert good["variance"] > 1
    assert good["accuracy"] > 0.95
    assert "BN208" in codes_of("bn208_bad")
    assert codes_of("bn208_good") == set()
