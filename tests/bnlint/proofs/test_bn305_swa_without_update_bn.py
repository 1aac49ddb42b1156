"""BN305: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_swa_without_update_bn(measure_torch, codes_of):
    """The average has the running mean of its last member, far from that of the data; update_bn() computes it."""
    bad, good = measure_torch("bn305_bad"), measure_torch("bn305_good")
    assert bad["apart"] > 3
    assert good["apart"] < 0.1
    assert "BN305" in codes_of("bn305_bad")
    assert codes_of("bn305_good") == set()
