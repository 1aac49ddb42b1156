"""BN205: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_functional_dropout_always_on(measure_torch, codes_of):
    """A functional dropout drops in eval mode too; with the flag it is the identity."""
    bad, good = measure_torch("bn205_bad"), measure_torch("bn205_good")
    assert bad["differ"] > 0.1
    assert good == {"differ": 0}
    assert "BN205" in codes_of("bn205_bad")
    assert codes_of("bn205_good") == set()
