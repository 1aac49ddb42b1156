"""Facts of all files → Project: the one object rules ask. Read-only once it is made."""

from collections.abc import Sequence

from bnlint.facts.model import FileFacts


class Project:
    """Everything known of the program."""

    def __init__(self, files: Sequence[FileFacts]) -> None:
        self.files = tuple(files)


def link(files: Sequence[FileFacts]) -> Project:
    """Put the facts of all files together."""
    return Project(files)
