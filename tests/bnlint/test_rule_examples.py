"""Each rule is proved by the examples in its own file: they are also its documentation."""

import pytest

from bnlint.examples import check_example
from bnlint.rules.table import RULES

CASES = [(rule, example) for rule in RULES for example in rule.meta.examples]


@pytest.mark.parametrize(
    ("rule", "example"), CASES, ids=[f"{r.meta.code}-{e.title or n}" for n, (r, e) in enumerate(CASES)]
)
def test_example(rule, example):
    """The bad example is reported at its marks and nowhere else; the good one is not reported at all."""
    assert check_example(rule, example, RULES) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.meta.code)
def test_has_examples(rule):
    """A rule shows at least one mistake and its correction."""
    assert any((e.bad and e.good) or (e.files and e.fixed) for e in rule.meta.examples)
