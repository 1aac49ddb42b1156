"""BN203: what fit() makes of a call without a training parameter, in Keras 3 and in Keras 2."""

import pytest

pytestmark = pytest.mark.proof


def test_keras_3_trains_in_inference_mode(keras_measures, codes_of):
    """The running mean stays at 0 during fit(); with the parameter it moves."""
    assert keras_measures["bn203_bad"]["moved"] == 0
    assert keras_measures["bn203_good"]["moved"] > 1
    assert codes_of("bn203_bad") == {"BN203"}
    assert codes_of("bn203_good") == set()


def test_keras_2_does_not_mind(keras2_measures):
    """Keras 2 passes the mode on behind the scenes, so the rule is silent for it."""
    assert keras2_measures["bn203_bad"]["moved"] > 1
