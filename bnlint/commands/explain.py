"""``bnlint explain`` and ``bnlint rules``."""

import difflib
import sys
from collections.abc import Sequence

from bnlint.errors import BnlintError
from bnlint.report.page import page
from bnlint.rules._base import Rule
from bnlint.rules.table import RULES


def explain(codes: Sequence[str]) -> int:
    """Print the pages of rules given by code or name."""
    for number, code in enumerate(codes):
        if number:
            sys.stdout.write("\n")
        sys.stdout.write(page(_named(code).meta))
    return 0


def _named(word: str) -> Rule:
    known = {rule.meta.code.lower(): rule for rule in RULES} | {rule.meta.name: rule for rule in RULES}
    if word.lower() in known:
        return known[word.lower()]
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.4)
    hint = (
        f"; did you mean {close[0].upper() if close[0].startswith('bn') else close[0]}?"
        if close
        else "; try `bnlint rules`"
    )
    raise BnlintError(f"got {word!r}, expected the code or name of a rule{hint}")


def list_rules() -> int:
    """Print all rules, one a line."""
    for rule in RULES:
        meta = rule.meta
        frameworks = ", ".join(meta.frameworks) or "–"
        sys.stdout.write(f"{meta.code}  {meta.name:<30} {meta.severity:<8} {meta.persona:<9} {frameworks}\n")
    return 0
