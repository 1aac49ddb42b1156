"""BN103: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_eval_without_call(measure_torch, codes_of):
    """The mode does not change without parentheses."""
    bad, good = measure_torch("bn103_bad"), measure_torch("bn103_good")
    assert bad["training"]
    assert bad["differ"] > 0.1
    assert good == {"training": False, "differ": 0}
    assert "BN103" in codes_of("bn103_bad")
    assert codes_of("bn103_good") == set()
