"""BN201: a norm that is never told it is trained never normalises and never learns."""

import pytest

pytestmark = pytest.mark.proof


def test_the_norm_never_learns(tf1_measures, codes_of):
    """After 100 steps the moving statistics are the initial ones and accuracy is that of a coin; with the flag both are right."""
    bad, good = tf1_measures["bn201_bad"], tf1_measures["bn201_good"]
    assert bad["mean"] == 0
    assert bad["variance"] == 0
    assert bad["accuracy"] < 0.7
    assert good["mean"] > 1
    assert good["variance"] > 1
    assert good["accuracy"] > 0.95
    assert "BN201" in codes_of("bn201_bad")
    assert codes_of("bn201_good") == set()
