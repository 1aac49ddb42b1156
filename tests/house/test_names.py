"""The project speaks of itself alone: no path of one machine, no leftover of how it was written."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Written so that this file does not contain what it looks for.
MACHINE = re.compile(r"(?<![\w.:/-])/(?:work|farm|root|home/\w+|tmp/v)/|[A-Z]:\\+Users\\+")
KEPT_OUT = {".git", ".tox", ".field", "site", "build", "dist", "__pycache__", ".venv", "venv", "htmlcov"}


def project_files():
    """Files under version control; in an unpacked sdist, all files."""
    if (ROOT / ".git").exists():
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        return [path for name in names if (path := ROOT / name).is_file()]
    return [p for p in ROOT.rglob("*") if p.is_file() and not KEPT_OUT & set(p.relative_to(ROOT).parts)]


def machine_paths(text):
    return [match.group() for match in MACHINE.finditer(text)]


def test_no_file_names_a_place_on_one_machine():
    """No file of the project mentions a path that exists on its author's machine only."""
    found = {
        p.relative_to(ROOT).as_posix(): hits
        for p in project_files()
        if (hits := machine_paths(p.read_text("utf-8", "replace")))
    }
    assert found == {}


@pytest.mark.parametrize("text", ["see /" + "work/x", "'/" + "root/.cache'", "/" + "home/ann/x"])
def test_the_check_can_fail(text):
    """A machine path is seen inside prose and quotes."""
    assert machine_paths(text)


@pytest.mark.parametrize("text", ["a/work/x", "../work/", "https://host/root/x", "{work_dir}/x"])
def test_relative_paths_are_fine(text):
    """A relative path or an address with the same words is nobody's machine."""
    assert machine_paths(text) == []
