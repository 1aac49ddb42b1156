"""BN404: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_batch_of_one(measure_torch, codes_of):
    """33 samples in batches of 16: the last one holds one, and PyTorch raises."""
    bad, good = measure_torch("bn404_bad"), measure_torch("bn404_good")
    assert "more than 1 value per channel" in bad["error"]
    assert good == {"error": ""}
    assert "BN404" in codes_of("bn404_bad")
    assert codes_of("bn404_good") == set()
