"""BN106: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_teacher_in_train_mode(measure_torch, codes_of):
    """A teacher that nobody trains learns statistics all the same."""
    bad, good = measure_torch("bn106_bad"), measure_torch("bn106_good")
    assert bad["moved"] > 1
    assert good == {"moved": 0}
    assert "BN106" in codes_of("bn106_bad")
    assert codes_of("bn106_good") == set()
