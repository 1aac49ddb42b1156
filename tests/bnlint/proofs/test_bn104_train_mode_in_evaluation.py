"""BN104: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_train_mode_in_evaluation(measure_torch, codes_of):
    """The evaluation teaches the statistics the test data; in eval mode it does not."""
    bad, good = measure_torch("bn104_bad"), measure_torch("bn104_good")
    assert bad["moved"] > 1
    assert good == {"moved": 0}
    assert "BN104" in codes_of("bn104_bad")
    assert codes_of("bn104_good") == set()
