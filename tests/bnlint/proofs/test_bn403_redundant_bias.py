"""BN403: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_redundant_bias(measure_torch, codes_of):
    """All eight biases get no gradient."""
    bad, good = measure_torch("bn403_bad"), measure_torch("bn403_good")
    assert bad == {"idle": 8}
    assert good == {"idle": 0}
    assert "BN403" in codes_of("bn403_bad")
    assert codes_of("bn403_good") == set()
