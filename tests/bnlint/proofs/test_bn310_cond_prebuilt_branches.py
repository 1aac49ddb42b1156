"""BN310: what is built before a cond runs whatever the condition says."""

import ast

import pytest

pytestmark = pytest.mark.proof


def test_evaluation_moves_the_averages(tf1_measures, codes_of):
    """Evaluation moves the averages when both norms exist before the cond, and not when each is built inside its branch."""
    bad, good = tf1_measures["bn310_bad"], tf1_measures["bn310_good"]
    assert bad["drift"] > 1
    assert good["drift"] == 0
    assert good["accuracy"] > 0.95
    assert "BN310" in codes_of("bn310_bad")
    assert codes_of("bn310_good") == set()


def test_the_fix_runs(tf1_measures, codes_of, fixed, programs):
    """What the linter writes is what is measured here: evaluation moves nothing, and training still does."""
    assert ast.unparse(ast.parse(fixed("bn310_bad", "BN310"))) == ast.unparse(ast.parse(programs("bn310_fixed")))
    assert codes_of("bn310_fixed") == set()
    assert tf1_measures["bn310_fixed"]["drift"] == 0
    assert tf1_measures["bn310_fixed"]["accuracy"] > 0.95
