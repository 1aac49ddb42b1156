"""What is shipped says what it is: metadata, hooks, workflow and README agree with the code."""

import re
import tomllib
from pathlib import Path

import pytest

import anybn
import bnlint

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONSTRAINTS = (ROOT / "requirements" / "constraints.txt").read_text("utf-8")


def text(name):
    return (ROOT / name).read_text("utf-8")


def test_one_version():
    """The distribution and both packages have one version."""
    assert PROJECT["project"]["version"] == anybn.__version__ == bnlint.__version__


def test_no_array_library_is_a_base_dependency():
    """Who installs anybn gets no array library; they are extras."""
    names = {re.split(r"[<>=\[ ]", entry)[0] for entry in PROJECT["project"]["dependencies"]}
    assert names & {"numpy", "torch", "jax", "cupy", "dask", "numba", "tensorflow"} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_torch_is_never_free(path):
    """Wherever torch is installed by the checks, its version is pinned: the version decides which build comes."""
    lines = [line for line in path.read_text("utf-8").splitlines() if re.match(r"torch\b", line)]
    assert all(line == "torch==2.13.0" for line in lines)


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_what_the_checks_install_is_pinned(path):
    """Every requirement of the checks has its one version in constraints.txt."""
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in CONSTRAINTS.splitlines() if "==" in line}
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert {re.split(r"[<>=\[ ]", line)[0].lower().replace("_", "-") for line in lines} <= pinned


def test_both_hooks_run_the_console_script():
    """.pre-commit-hooks.yaml offers bnlint and bnlint-fix, and their entry is the installed script."""
    hooks = text(".pre-commit-hooks.yaml")
    assert re.findall(r"^- id: (\S+)", hooks, re.MULTILINE) == ["bnlint", "bnlint-fix"]
    assert re.findall(r"^  entry: (.+)", hooks, re.MULTILINE) == ["bnlint", "bnlint --fix"]
    assert PROJECT["project"]["scripts"]["bnlint"] == "bnlint.cli:main"


@pytest.mark.parametrize("path", ["action.yml", ".github/workflows/ci.yml"])
def test_actions_are_pinned_by_hash(path):
    """A tag can move; the actions that we run cannot."""
    uses = re.findall(r"uses: (\S+)", text(path))
    assert uses
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in uses)


def test_ci_runs_the_readme_command():
    """.ci/run holds, word for word, the second command of the README."""
    command = "python -m pip install tox && python -m tox"
    assert f"\n{command}\n" in text("README.md")
    script = re.sub(r" (--quiet|run)\b| </dev/null", "", text(".ci/run"))
    assert f"\n{command}\n" in script


def test_the_default_list_is_the_whole_truth():
    """Every environment is in the default list, but those that download programs, measure time, or need Java or a GPU."""
    config = text("tox.ini")
    listed = set(re.search(r"^env_list = (.+)$", config, re.MULTILINE)[1].split(", "))
    defined = set(re.findall(r"^\[testenv:([\w-]+)\]$", config, re.MULTILINE))
    assert defined - listed == {"field", "bench", "engines", "gpu"}
