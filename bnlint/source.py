"""Files of source code: discover, read, and the places in them."""

from typing import NamedTuple


class Span(NamedTuple):
    """A range of text: 1-based lines and columns, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int
