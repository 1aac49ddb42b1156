"""Repairs of PyTorch programs as texts before and after: see ``fixes/BN….md``."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from bnlint.examples import found_in, repaired
from bnlint.rules.table import RULES

FOLDER = Path(__file__).parent / "fixes"
_CASE = re.compile(r"^## (.+?)\n\n```python before\n(.*?)```\n\n```python after\n(.*?)```\n", re.MULTILINE | re.DOTALL)


class Case(NamedTuple):
    """A program with a mistake, and what the repair of that rule makes of it."""

    code: str
    title: str
    before: str
    after: str


CASES = [
    Case(file.stem, *match.groups())
    for file in sorted(FOLDER.glob("*.md"))
    for match in _CASE.finditer(file.read_text("utf-8"))
]
IDS = [f"{case.code}-{case.title}" for case in CASES]
# Rules about PyTorch that `docs/rules` calls repairable, without those whose only repair is the example in their own file.
REPAIRED = {"BN101", "BN102", "BN104", "BN106", "BN107", "BN108", "BN109", "BN205", "BN206", "BN304", "BN307", "BN308", "BN401", "BN402", "BN403", "BN404"}  # fmt: skip


def test_every_case_was_read():
    """A heading that the pattern does not match would be a case that nobody runs."""
    headings = sum(file.read_text("utf-8").count("\n## ") for file in FOLDER.glob("*.md"))
    assert headings == len(CASES)
    assert {case.code for case in CASES} == REPAIRED


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_repair_gives_exactly_this(case):
    """Layout and comments stay, nothing is taken back."""
    texts, notes = repaired({"main.py": case.before}, RULES, case.code)
    assert texts == {"main.py": case.after}
    assert notes == ()


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_line_ends_stay(case):
    """What is written gets the line ends of the file."""
    texts, _ = repaired({"main.py": case.before.replace("\n", "\r\n")}, RULES, case.code)
    assert texts == {"main.py": case.after.replace("\n", "\r\n")}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_its_finding_is_gone_no_other_has_come_and_a_second_repair_changes_nothing(case):
    """All rules are asked, the pedantic ones and low confidence too."""
    before = {code for _, _, code in found_in({"main.py": case.before}, RULES)}
    after = {code for _, _, code in found_in({"main.py": case.after}, RULES)}
    assert case.code in before
    assert after <= before - {case.code}
    assert repaired({"main.py": case.after}, RULES, case.code) == ({"main.py": case.after}, ())


def test_no_repair_where_the_place_is_not_certain():
    """A network that is the result of a call has no name to call eval() on."""
    case = next(case for case in CASES if case.code == "BN101")
    text = case.before.replace("model(x) for x", "nets[0](x) for x").replace(
        "model = Net()", "model = Net()\n    nets = [model]"
    )
    assert "BN101" in {code for _, _, code in found_in({"main.py": text}, RULES)}
    assert repaired({"main.py": text}, RULES, "BN101") == ({"main.py": text}, ())
