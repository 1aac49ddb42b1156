"""Hard cases and look-alikes, written in Markdown: tests/bnlint/rules/*.md."""

from pathlib import Path

import pytest

from bnlint.examples import check_case, read_cases
from bnlint.rules.table import RULES

CASES = [
    (file.stem, case)
    for file in sorted(Path(__file__).parent.glob("rules/*.md"))
    for case in read_cases(file.read_text("utf-8"))
]


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}: {case.title}" for name, case in CASES])
def test_case(name, case):
    """What the comments of a case announce is reported, and nothing else is."""
    assert check_case(case, RULES) == []
