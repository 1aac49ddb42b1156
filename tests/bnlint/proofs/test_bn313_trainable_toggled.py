"""BN313: the classic GAN trick under Keras 3 and under Keras 2."""

import pytest

pytestmark = pytest.mark.proof


def test_keras_3_never_trains_the_discriminator(keras_measures, codes_of):
    """Neither its weights nor its statistics move; toggled around each step both do."""
    bad, good = keras_measures["bn313_bad"], keras_measures["bn313_good"]
    assert bad == {"weights": 0, "statistics": 0}
    assert good["weights"] > 0.01
    assert good["statistics"] > 0.1
    assert codes_of("bn313_bad") == {"BN313"}
    assert codes_of("bn313_good") == set()


def test_keras_2_trains_it(keras2_measures):
    """The same program is right in Keras 2, so the rule is silent for it."""
    assert keras2_measures["bn313_bad"] == keras2_measures["bn313_good"]
    assert keras2_measures["bn313_bad"]["weights"] > 0.01
