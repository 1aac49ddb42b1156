"""All rules, in the order of their codes. A new rule is one file and one line here (a test holds the two together)."""

from bnlint.rules._base import Rule
from bnlint.rules.setup.bn401_momentum import momentum_convention
from bnlint.rules.setup.bn402_eps import eps_too_large

RULES: tuple[Rule, ...] = (
    momentum_convention,  # BN401
    eps_too_large,  # BN402
)
