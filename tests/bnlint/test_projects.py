"""Whole programs of several files: mistakes that no file shows alone, and their correct twins."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bnlint.config import Config
from bnlint.rules.table import RULES
from bnlint.run import lint

ROOT = Path(__file__).parent / "projects"
_EXPECTED = re.compile(r"# error: \[(BN\d+)\]$")


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every text that findings count lines in, by its name: a file, or a cell of a notebook."""
    for file in folder.rglob("*.py"):
        yield file.name, file.read_text("utf-8")
    for file in folder.rglob("*.ipynb"):
        for number, cell in enumerate(json.loads(file.read_text("utf-8"))["cells"], 1):
            yield f"{file.name}:cell {number}", "".join(cell["source"])


def _expected(folder: Path) -> set[tuple[str, int, str]]:
    return {
        (name, number, match[1])
        for name, text in _texts(folder)
        for number, line in enumerate(text.splitlines(), 1)
        if (match := _EXPECTED.search(line))
    }


def _found(folder: Path) -> set[tuple[str, int, str]]:
    alone = Config(jobs=1, cache=False, min_confidence="medium", whole_project=False)
    findings = lint([folder], alone, RULES).findings
    return {(Path(f.place.text).name, f.place.span.line, f.code) for f in findings if f.place.span}


@pytest.mark.parametrize("project", sorted(path.name for path in ROOT.iterdir()))
def test_mistakes_across_files_are_found(project):
    """Each marked line is reported, and nothing else."""
    expected = _expected(ROOT / project / "mistaken")
    assert expected
    assert _found(ROOT / project / "mistaken") == expected


@pytest.mark.parametrize("project", sorted(path.name for path in ROOT.iterdir()))
def test_their_correct_twins_are_silent(project):
    """The same program without the mistake is not reported."""
    assert _found(ROOT / project / "right") == set()
