"""The formats of a report, by name."""

import difflib
from importlib import import_module
from typing import NamedTuple

from bnlint.errors import ConfigError
from bnlint.report.model import Report


class Style(NamedTuple):
    """How much is said, and whether in colour (text formats only)."""

    colour: bool = False
    quiet: bool = False
    statistics: bool = False


# Formats that say what each fix would change, which takes a LibCST parse a finding.
WITH_CHANGES = frozenset({"json", "sarif"})
FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit")


def render(name: str, report: Report, style: Style) -> str:
    """The report in the format `name`; each format is a module of this package with a function ``render``."""
    if name not in FORMATS:
        close = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"got the format {name!r}, expected one of {', '.join(FORMATS)}{hint}")
    module = import_module(f"bnlint.report.{name}_" if name == "json" else f"bnlint.report.{name}")
    text: str = module.render(report, style)
    return text
