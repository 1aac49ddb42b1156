"""BN108: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_layer_built_in_forward(measure_torch, codes_of):
    """A dropout made in forward drops in eval mode too; one that the module holds does not."""
    bad, good = measure_torch("bn108_bad"), measure_torch("bn108_good")
    assert bad["differ"] > 0.1
    assert good == {"differ": 0}
    assert "BN108" in codes_of("bn108_bad")
    assert codes_of("bn108_good") == set()
