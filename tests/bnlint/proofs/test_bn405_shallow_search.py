"""BN405: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_shallow_search(torch_measures, codes_of):
    """A norm inside a block is missed by children() and found by modules()."""
    bad, good = torch_measures("bn405_bad"), torch_measures("bn405_good")
    assert bad == {"frozen": False}
    assert good == {"frozen": True}
    assert "BN405" in codes_of("bn405_bad")
    assert codes_of("bn405_good") == set()
