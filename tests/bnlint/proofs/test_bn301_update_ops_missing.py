"""BN301: minimize() does not run UPDATE_OPS."""

import pytest

pytestmark = pytest.mark.proof


def test_layers(tf1_measures, codes_of):
    """After 100 steps the moving statistics are 0 and 1 and evaluation is a coin; once the updates run, accuracy is restored."""
    bad, good = tf1_measures["bn301_bad"], tf1_measures["bn301_good"]
    assert bad["mean"] == 0
    assert bad["variance"] == 0
    assert bad["accuracy"] < 0.7
    assert good["mean"] > 1
    assert good["variance"] > 1
    assert good["accuracy"] > 0.95
    assert "BN301" in codes_of("bn301_bad")
    assert codes_of("bn301_good") == set()


def test_slim(tf1_measures, codes_of):
    """The same for slim, and updates in place repair it."""
    bad, good = tf1_measures["bn301_slim_bad"], tf1_measures["bn301_slim_good"]
    assert bad["mean"] == 0
    assert bad["variance"] == 0
    assert bad["accuracy"] < 0.7
    assert good["mean"] > 1
    assert good["variance"] > 1
    assert good["accuracy"] > 0.95
    assert "BN301" in codes_of("bn301_slim_bad")
    assert codes_of("bn301_slim_good") == set()
