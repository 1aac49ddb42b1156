"""BN206: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_functional_batch_norm_flag(measure_torch, codes_of):
    """With a constant True evaluation moves the statistics."""
    bad, good = measure_torch("bn206_bad"), measure_torch("bn206_good")
    assert bad["moved"] > 0.1
    assert good == {"moved": 0}
    assert "BN206" in codes_of("bn206_bad")
    assert codes_of("bn206_good") == set()
