"""BN901 not-analysed: a file could not be read, so nothing is known of it."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.finding import Finding, Place
from bnlint.project.link import Project
from bnlint.rules._base import Example, Meta, rule
from bnlint.source import Span

META = Meta(
    code="BN901",
    name="not-analysed",
    severity="note",
    confidence="high",
    persona="regular",
    since="0.1",
    frameworks=(),
    says="not analysed: {reason}",
    why="Mistakes in this file, and those of other files that depend on it, are not seen.",
    fix_safety="Nothing to fix by a linter: the note says what is in the way.",
    examples=(
        Example(
            title="A line that is no Python",
            bad='import torch\nprint("step" model.eval())  # <-\n',
            good='import torch\nprint("step", model.eval())\n',
        ),
    ),
    notes="A note: it does not change the exit code unless `--strict` is given. Python 2 is analysed like Python 3, and only not repaired.",
    proof="not observable: the rule speaks of the linter, not of a program",
)


@rule(META)
def not_analysed(file: FileFacts, project: Project) -> Iterator[Finding]:
    """One note for each file that has a problem."""
    if file.problem is None:
        return
    line, column = file.problem.line, file.problem.column
    found = META.finding(file.path, 0, reason=file.problem.message)
    yield found._replace(place=Place(file.path, 0, span=Span(line, column, line, column + 1)))
