"""BN101: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_eval_missing(measure_torch, codes_of):
    """Evaluating twice gives two answers and moves the statistics; after eval() neither happens."""
    bad, good = measure_torch("bn101_bad"), measure_torch("bn101_good")
    assert bad["differ"] > 0.1
    assert bad["moved"] > 0.1
    assert good == {"differ": 0, "moved": 0}
    assert "BN101" in codes_of("bn101_bad")
    assert codes_of("bn101_good") == set()
