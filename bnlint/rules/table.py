"""All rules, in the order of their codes. A new rule is one file and one line here (a test holds the two together)."""

from bnlint.rules._base import Rule

RULES: tuple[Rule, ...] = ()
