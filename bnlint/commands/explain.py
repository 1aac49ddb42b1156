"""``bnlint explain`` and ``bnlint rules``."""

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from bnlint.config import Config, find, load
from bnlint.errors import BnlintError
from bnlint.examples import said
from bnlint.extensions import with_extensions
from bnlint.report.page import page
from bnlint.rules._base import Rule
from bnlint.rules.table import RULES


def explain(codes: Sequence[str]) -> int:
    """Print the pages of rules given by code or name."""
    for number, code in enumerate(codes):
        if number:
            sys.stdout.write("\n")
        rule = _named(code)
        sys.stdout.write(page(rule.meta, said(rule, [rule])))
    return 0


def _rules() -> Sequence[Rule]:
    """Our rules, and those that the configuration here names."""
    file = find(Path.cwd())
    config = load(file) if file is not None else Config()
    return with_extensions(RULES, config.rules, config.folder)


def _named(word: str) -> Rule:
    rules = _rules()
    known = {rule.meta.code.lower(): rule for rule in rules} | {rule.meta.name: rule for rule in rules}
    if word.lower() in known:
        return known[word.lower()]
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.4)
    hint = (
        f"; did you mean {known[close[0]].meta.code if close[0] == known[close[0]].meta.code.lower() else close[0]}?"
        if close
        else "; try `bnlint rules`"
    )
    raise BnlintError(f"got {word!r}, expected the code or name of a rule{hint}")


def list_rules() -> int:
    """Print all rules, one a line."""
    for rule in _rules():
        meta = rule.meta
        frameworks = ", ".join(meta.frameworks) or "–"
        sys.stdout.write(f"{meta.code}  {meta.name:<30} {meta.severity:<8} {meta.persona:<9} {frameworks}\n")
    return 0
