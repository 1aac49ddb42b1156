"""BN406: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_dropout_before_batch_norm(measure_torch, codes_of):
    """The running variance is that of the thinned values: in evaluation the norm gives far less than 1."""
    bad, good = measure_torch("bn406_bad"), measure_torch("bn406_good")
    assert bad["variance"] < 0.5
    assert good["variance"] == pytest.approx(1, abs=0.02)
    assert "BN406" in codes_of("bn406_bad")
    assert codes_of("bn406_good") == set()
