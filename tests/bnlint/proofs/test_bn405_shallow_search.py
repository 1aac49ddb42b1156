"""BN405: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_shallow_search(measure_torch, codes_of):
    """A norm inside a block is missed by children() and found by modules()."""
    bad, good = measure_torch("bn405_bad"), measure_torch("bn405_good")
    assert bad == {"frozen": False}
    assert good == {"frozen": True}
    assert "BN405" in codes_of("bn405_bad")
    assert codes_of("bn405_good") == set()
