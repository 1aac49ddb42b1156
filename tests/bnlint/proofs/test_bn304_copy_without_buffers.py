"""BN304: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_copy_without_buffers(measure_torch, codes_of):
    """The running statistics of the average stay at their start; with the buffers copied they follow."""
    bad, good = measure_torch("bn304_bad"), measure_torch("bn304_good")
    assert bad["apart"] > 1
    assert good == {"apart": 0}
    assert "BN304" in codes_of("bn304_bad")
    assert codes_of("bn304_good") == set()
