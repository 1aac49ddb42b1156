"""What the configuration asks for: by code, persona, severity, confidence and file."""

import os
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from bnlint.config import Config
from bnlint.finding import Finding
from bnlint.options import ALL, CONFIDENCES, PERSONAS, SEVERITIES
from bnlint.patterns import matcher, relative


class Triage(NamedTuple):
    """Findings to show, in order, and how many were not, by reason."""

    shown: tuple[Finding, ...]
    hidden: Counter[str]


def order(finding: Finding) -> tuple[object, ...]:
    """Sort key of findings: path, cell, line, column, code."""
    place = finding.place
    return place.path, place.cell, place.span or (0, 0, 0, 0), place.at, finding.code, finding.says


def choose(found: Iterable[Finding], config: Config) -> Triage:
    """Drop what the configuration does not ask for: by code, persona, severity and confidence."""
    shown: list[Finding] = []
    hidden: Counter[str] = Counter()
    for finding in found:
        if not asked_for(finding, config):
            hidden["not selected"] += 1
        elif ignored_in_file(finding, config):
            hidden["ignored in their file"] += 1
        elif not loud_enough(finding, config):
            hidden["below the thresholds"] += 1
        else:
            shown.append(finding)
    return Triage(tuple(shown), hidden)


def _longest(code: str, prefixes: Iterable[str]) -> int:
    return max(
        (1 if prefix == ALL else len(prefix) for prefix in prefixes if prefix == ALL or code.startswith(prefix)),
        default=0,
    )


def asked_for(finding: Finding, config: Config) -> bool:
    """Whether code and persona are selected; the longer of two contradicting prefixes wins, and a whole code asks for
    its rule whatever its persona.
    """
    selected, ignored = _longest(finding.code, config.selected()), _longest(finding.code, config.ignored())
    if selected <= ignored:
        return False
    return finding.code in config.selected() or PERSONAS.index(finding.persona) <= PERSONAS.index(config.persona)


def loud_enough(finding: Finding, config: Config) -> bool:
    """Whether severity and confidence reach the thresholds."""
    severe = SEVERITIES.index(finding.severity) >= SEVERITIES.index(config.min_severity)
    return severe and CONFIDENCES.index(finding.confidence) >= CONFIDENCES.index(config.min_confidence)


def ignored_in_file(finding: Finding, config: Config) -> bool:
    """Whether ``per-file-ignores`` has a pattern for the file with a beginning of the code."""
    if not config.per_file_ignores:
        return False
    inside = relative(os.path.abspath(finding.place.path), config.folder.absolute())  # noqa: PTH100 - links are not followed
    return inside is not None and any(
        any(finding.code.startswith(code) for code in codes) and matcher(pattern)(inside)
        for pattern, codes in config.per_file_ignores
    )
