"""The table of rules, the files of rules and their cases belong together; scripts/new_rule.py keeps it so."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bnlint.rules.table import RULES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "bnlint" / "rules"
FILES = sorted(file for family in ("mode", "flag", "stats", "setup") for file in (FOLDER / family).glob("bn*.py"))


def test_codes_are_unique_and_in_order():
    """A code means one rule for ever; names too."""
    codes = [rule.meta.code for rule in RULES]
    assert codes == sorted(set(codes))
    names = [rule.meta.name for rule in RULES]
    assert len(names) == len(set(names))


def test_every_file_of_a_rule_is_in_the_table():
    """A rule that nobody lists is never run."""
    listed = {rule.check.__module__ for rule in RULES}
    assert {f"bnlint.rules.{file.parent.name}.{file.stem}" for file in FILES} <= listed


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.meta.code)
def test_a_rule_lives_where_its_code_says(rule):
    """BN1 is mode, BN2 flag, BN3 stats, BN4 setup; the file begins with the code."""
    family = {"1": "mode", "2": "flag", "3": "stats", "4": "setup", "9": None}[rule.meta.code[2]]
    if family is not None:
        assert rule.check.__module__.startswith(f"bnlint.rules.{family}.{rule.meta.code.lower()}")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.meta.name)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.meta.code)
def test_a_rule_has_cases_or_says_that_it_needs_none(rule):
    """Look-alikes that must stay silent are the harder half."""
    if rule.meta.code != "BN902":
        assert (ROOT / "tests" / "bnlint" / "rules" / f"{rule.meta.code}.md").is_file()


def _script():
    spec = importlib.util.spec_from_file_location("new_rule", ROOT / "scripts" / "new_rule.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_new_rule_passes_its_own_tests(tmp_path):
    """What the script writes works at once: the rule is listed, fires on its bad example and its cases hold."""
    shutil.copytree(ROOT / "bnlint", tmp_path / "bnlint", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "anybn", tmp_path / "anybn", ignore=shutil.ignore_patterns("__pycache__"))
    _script().main(["BN399", "stats", "made-by-a-test", "--root", str(tmp_path)])
    code = (
        "from bnlint.examples import check_example, check_case, read_cases\n"
        "from bnlint.rules.table import RULES\n"
        "rule = next(r for r in RULES if r.meta.code == 'BN399')\n"
        "assert [r.meta.code for r in RULES] == sorted(r.meta.code for r in RULES)\n"
        "assert check_example(rule, rule.meta.examples[0], [rule]) == []\n"
        "cases = read_cases(open('tests/bnlint/rules/BN399.md').read())\n"
        "assert len(cases) == 2 and [check_case(case, [rule]) for case in cases] == [[], []]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": "."}
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    "words", [["BN199", "flag", "a-b"], ["BN9", "mode", "a"], ["BN199", "mode", "A_b"], ["BN103", "mode", "again"]]
)
def test_a_wrong_code_or_name_is_refused(words):
    """Before anything is written."""
    with pytest.raises(SystemExit, match=r"got|taken"):
        _script().main(words)
