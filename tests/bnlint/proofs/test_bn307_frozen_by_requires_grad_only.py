"""BN307: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_frozen_by_requires_grad_only(measure_torch, codes_of):
    """The statistics of a network whose weights are frozen move in training mode, and not in eval mode."""
    bad, good = measure_torch("bn307_bad"), measure_torch("bn307_good")
    assert bad["moved"] > 1
    assert good == {"moved": 0}
    assert "BN307" in codes_of("bn307_bad")
    assert codes_of("bn307_good") == set()
