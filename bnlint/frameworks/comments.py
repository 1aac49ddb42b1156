"""What comments say to the analyses. A comment that says none of it may be written, changed or removed: no finding moves."""

import re

from bnlint.frameworks.torch import EVAL_INTENT, INTENT

_MEANT = re.compile(r"\b(?:deliberate|on purpose|intention|intended)", re.IGNORECASE)
_ABOUT = re.compile(r"momentum|decay|running|moving|statistic|batch.?norm|\bbn\b", re.IGNORECASE)


def says_momentum_is_meant(text: str) -> bool:
    """Whether a comment says that an unusual momentum is on purpose."""
    return _MEANT.search(text) is not None and _ABOUT.search(text) is not None


def speaks(text: str, phrases: tuple[str, ...] = ()) -> bool:
    """Whether any analysis listens to a comment; `phrases` are those that the configuration adds."""
    said = any(phrase.lower() in text.lower() for phrase in phrases)
    return said or any(pattern.search(text) for pattern in (INTENT, EVAL_INTENT, _MEANT))
