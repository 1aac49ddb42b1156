"""BN107: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_export_in_train_mode(measure_torch, codes_of):
    """What was traced in training mode drops for ever, whatever mode it is put in later."""
    bad, good = measure_torch("bn107_bad"), measure_torch("bn107_good")
    assert bad["differ"] > 0.1
    assert good == {"differ": 0}
    assert "BN107" in codes_of("bn107_bad")
    assert codes_of("bn107_good") == set()
