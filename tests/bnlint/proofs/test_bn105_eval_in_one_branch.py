"""BN105: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_eval_in_one_branch(measure_torch, codes_of):
    """On the branch without eval() the evaluation moves the statistics."""
    bad, good = measure_torch("bn105_bad"), measure_torch("bn105_good")
    assert bad["moved"] > 0.1
    assert good == {"moved": 0}
    assert "BN105" in codes_of("bn105_bad")
    assert codes_of("bn105_good") == set()
