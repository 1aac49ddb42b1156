"""BN306: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_freeze_undone(measure_torch, codes_of):
    """train() thaws what was frozen before it; frozen after it, the statistics stay."""
    bad, good = measure_torch("bn306_bad"), measure_torch("bn306_good")
    assert bad["moved"] > 1
    assert good == {"moved": 0}
    assert "BN306" in codes_of("bn306_bad")
    assert codes_of("bn306_good") == set()
