"""BN102: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_train_not_restored(measure_torch, codes_of):
    """From the second epoch on no batch reaches the statistics; with train() in the loop all do."""
    bad, good = measure_torch("bn102_bad"), measure_torch("bn102_good")
    assert bad == {"modes": [True, False, False], "batches": [8, 8, 8]}
    assert good == {"modes": [True, True, True], "batches": [8, 16, 24]}
    assert "BN102" in codes_of("bn102_bad")
    assert codes_of("bn102_good") == set()
