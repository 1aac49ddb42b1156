"""BN302: control dependencies bind ops that are built inside the block, and a list holds what there was."""

import ast

import pytest

pytestmark = pytest.mark.proof


def test_only_the_constructor_is_inside(tf1_measures, codes_of):
    """An optimizer object is no op: nothing waits for the updates."""
    bad, good = tf1_measures["bn302_bad"], tf1_measures["bn302_good"]
    assert bad["mean"] == 0
    assert bad["variance"] == 0
    assert bad["accuracy"] < 0.7
    assert good["mean"] > 1
    assert good["variance"] > 1
    assert good["accuracy"] > 0.95
    assert "BN302" in codes_of("bn302_bad")
    assert codes_of("bn302_good") == set()


def test_collected_too_early(tf1_measures, codes_of):
    """A list collected before the layers is empty."""
    bad, good = tf1_measures["bn302_early_bad"], tf1_measures["bn302_early_good"]
    assert bad["mean"] == 0
    assert bad["variance"] == 0
    assert bad["accuracy"] < 0.7
    assert good["mean"] > 1
    assert good["variance"] > 1
    assert good["accuracy"] > 0.95
    assert "BN302" in codes_of("bn302_early_bad")
    assert codes_of("bn302_early_good") == set()


def test_the_fix_of_the_constructor_runs(tf1_measures, codes_of, fixed, programs):
    """What the linter writes is what is measured here, and the averages move."""
    assert ast.unparse(ast.parse(fixed("bn302_bad", "BN302"))) == ast.unparse(ast.parse(programs("bn302_fixed")))
    assert codes_of("bn302_fixed") == set()
    assert tf1_measures["bn302_fixed"]["mean"] > 1
    assert tf1_measures["bn302_fixed"]["accuracy"] > 0.95
