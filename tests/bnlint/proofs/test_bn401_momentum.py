"""BN401: the other framework's number makes the running statistics those of the last batch."""

import pytest

pytestmark = pytest.mark.proof


def test_keras_with_pytorchs_number(keras_measures, codes_of):
    """The running mean is several times as far from the truth as with the converted number."""
    assert keras_measures["bn401_keras_bad"]["error"] > 3 * keras_measures["bn401_keras_good"]["error"]
    assert codes_of("bn401_keras_bad") == {"BN401"}
    assert codes_of("bn401_keras_good") == set()


def test_pytorch_with_keras_number(torch_measures, codes_of):
    """The running mean is many times as far from the truth as with the converted number."""
    assert torch_measures["bn401_torch_bad"]["error"] > 10 * torch_measures["bn401_torch_good"]["error"]
    assert codes_of("bn401_torch_bad") == {"BN401"}
    assert codes_of("bn401_torch_good") == set()
