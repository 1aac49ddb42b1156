"""BN204: a block that is not told the mode stays in evaluation mode."""

import pytest

pytestmark = pytest.mark.proof


def test_the_untold_block_never_learns(jax_measures, codes_of):
    """The statistics of the block that is told move, those of the other do not."""
    bad, good = jax_measures["bn204_bad"], jax_measures["bn204_good"]
    assert bad["first"] > 0.5
    assert bad["second"] == 0
    assert good["second"] > 0.5
    assert codes_of("bn204_bad") == {"BN204"}
    assert codes_of("bn204_good") == set()
