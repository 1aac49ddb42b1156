"""BN107: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_export_in_train_mode(torch_measures, codes_of):
    """What was traced in training mode drops for ever, whatever mode it is put in later."""
    bad, good = torch_measures("bn107_bad"), torch_measures("bn107_good")
    assert bad["differ"] > 0.1
    assert good == {"differ": 0}
    assert "BN107" in codes_of("bn107_bad")
    assert codes_of("bn107_good") == set()
