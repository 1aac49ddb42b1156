"""BN311: new statistics that nobody takes are lost."""

import pytest

pytestmark = pytest.mark.proof


def test_linen_evaluates_with_the_initial_statistics(jax_measures, codes_of):
    """The loss falls in training and is huge in evaluation, as the statistics never moved."""
    bad, good = jax_measures["bn311_bad"], jax_measures["bn311_good"]
    assert bad["moved"] == 0
    assert good["moved"] > 1
    assert bad["loss"] > 1000 * good["loss"]
    assert codes_of("bn311_bad") == {"BN311"}
    assert codes_of("bn311_good") == set()


@pytest.mark.parametrize(("program", "measure"), [("haiku", "steps"), ("equinox", "moved"), ("nnx", "moved")])
def test_the_state_stays_as_it_was(jax_measures, codes_of, program, measure):
    """Haiku, Equinox and nnx under plain jit: twenty steps leave no trace in the state."""
    assert jax_measures[f"bn311_{program}_bad"][measure] == 0
    assert jax_measures[f"bn311_{program}_good"][measure] > 1
    assert codes_of(f"bn311_{program}_bad") == {"BN311"}
    assert codes_of(f"bn311_{program}_good") == set()
