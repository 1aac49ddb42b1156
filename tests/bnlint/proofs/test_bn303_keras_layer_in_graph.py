"""BN303: a Keras layer in a graph program keeps its updates to itself."""

import pytest

pytestmark = pytest.mark.proof


def test_the_updates_are_in_no_collection(tf1_measures, codes_of):
    """UPDATE_OPS does not hold them, so the block that waits for UPDATE_OPS waits for nothing."""
    bad, good = tf1_measures["bn303_bad"], tf1_measures["bn303_good"]
    assert bad["mean"] == 0
    assert bad["variance"] == 0
    assert bad["accuracy"] < 0.7
    assert good["mean"] > 1
    assert good["variance"] > 1
    assert good["accuracy"] > 0.95
    assert "BN303" in codes_of("bn303_bad")
    assert codes_of("bn303_good") == set()
