"""BN109: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_train_override_broken(measure_torch, codes_of):
    """`net = Net().eval()` is None when train() forgets to return self."""
    bad, good = measure_torch("bn109_bad"), measure_torch("bn109_good")
    assert bad == {"is_none": True}
    assert good == {"is_none": False}
    assert "BN109" in codes_of("bn109_bad")
    assert codes_of("bn109_good") == set()
