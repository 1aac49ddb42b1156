"""BN402: an eps of the size of the variance leaves nothing normalised."""

import pytest

pytestmark = pytest.mark.proof


def test_the_output_is_not_normalised(torch_measures, codes_of):
    """The standard deviation of the output is a third of what batch norm promises."""
    assert torch_measures["bn402_bad"]["spread"] < 0.5
    assert abs(torch_measures["bn402_good"]["spread"] - 1) < 0.01
    assert codes_of("bn402_bad") == {"BN402"}
    assert codes_of("bn402_good") == set()
