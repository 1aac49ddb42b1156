"""BN308: measured with real networks on a CPU."""

import pytest

pytestmark = pytest.mark.proof


def test_parameters_only_lose_the_statistics(measure_torch, codes_of):
    """What is loaded has the initial statistics; the state dictionary keeps them."""
    bad, good = measure_torch("bn308_torch_bad"), measure_torch("bn308_torch_good")
    assert bad["lost"] > 1
    assert good == {"lost": 0}
    assert "BN308" in codes_of("bn308_torch_bad")
    assert codes_of("bn308_torch_good") == set()
