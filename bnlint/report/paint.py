"""Colours of a terminal, as few as carry meaning."""

from typing import NamedTuple

_SEVERITY = {"error": "1;31", "warning": "1;33", "info": "1;34", "note": "1;36"}


class Paint(NamedTuple):
    """Puts escape sequences around words, or not."""

    on: bool = False

    def _code(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text

    def bold(self, text: str) -> str:
        return self._code("1", text)

    def dim(self, text: str) -> str:
        return self._code("2", text)

    def good(self, text: str) -> str:
        return self._code("32", text)

    def mark(self, text: str) -> str:
        return self._code("1;31", text)

    def severity(self, severity: str, text: str) -> str:
        return self._code(_SEVERITY[severity], text)


def paint(*, colour: bool) -> Paint:
    """The paint for a terminal with or without colour."""
    return Paint(on=colour)
