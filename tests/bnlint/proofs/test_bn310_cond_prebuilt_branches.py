"""BN310: what is built before a cond runs whatever the condition says."""

import pytest

pytestmark = pytest.mark.proof


def test_evaluation_moves_the_averages(tf1_measures, codes_of):
    """Evaluation moves the averages when both norms exist before the cond, and not when each is built inside its branch."""
    bad, good = tf1_measures["bn310_bad"], tf1_measures["bn310_good"]
    assert bad["drift"] > 1
    assert good["drift"] == 0
    assert good["accuracy"] > 0.95
    assert "BN310" in codes_of("bn310_bad")
    assert codes_of("bn310_good") == set()
