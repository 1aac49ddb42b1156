"""BN312: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_updated_twice(measure_torch, codes_of):
    """One step with a checkpoint counts two updates, and the momentum of 0.1 acts as 0.19."""
    bad, good = measure_torch("bn312_bad"), measure_torch("bn312_good")
    assert bad["updates"] == 2
    assert bad["weight"] == pytest.approx(0.19)
    assert good["updates"] == 1
    assert good["weight"] == pytest.approx(0.1)
    assert "BN312" in codes_of("bn312_bad")
    assert codes_of("bn312_good") == set()
