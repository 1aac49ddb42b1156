"""The configuration: where it is found, what it refuses and what it means."""

import re

import pytest

from bnlint.config import Config, find, fingerprint, load, read, settings
from bnlint.errors import ConfigError
from bnlint.examples import found_in
from bnlint.options import OPTIONS
from bnlint.rules.table import RULES
from bnlint.source import Selection, discover, project_root, shown

BAD = {"a.py": "import torch\nmodel.eval\n", "tests/b.py": "import torch\nmodel.eval\n"}


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"selct": []}, "did you mean 'select'?"),
        ({"zzz": 1}, "known are baseline, cache"),
        ({"select": "BN1"}, "expected a list of strings, such as"),
        ({"persona": "auditer"}, "expected one of regular, pedantic, auditor"),
        ({"jobs": True}, "expected a whole number"),
        ({"jobs": -1}, "expected a whole number"),
        ({"cache": 1}, "expected a boolean"),
        ({"time-limit": "3"}, "expected a number"),
        ({"per-file-ignores": ["a"]}, "expected a table of lists of strings"),
        ({"target": {"keras": 3}}, "expected a table of strings"),
        ({"target": {"kers": "3"}}, "did you mean 'keras'?"),
    ],
)
def test_what_is_wrong_is_said_with_the_nearest_name(table, says):
    """A typo must never switch a check off in silence."""
    with pytest.raises(ConfigError, match=re.escape(says)):
        read(table, "pyproject.toml")


@pytest.mark.parametrize("text", ["select = ", "[tool.bnlint]\nselct = []", "[tool]\nbnlint = 1"])
def test_a_file_that_cannot_be_used_names_itself(tmp_path, text):
    """The message begins with the file."""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        load(tmp_path / "pyproject.toml")


def test_every_option_has_a_field_and_every_field_an_option():
    """The documentation is made of the options, the run of the fields."""
    fields = set(Config.__dataclass_fields__) - {"folder", "file"}
    assert {option.attribute for option in OPTIONS} == fields
    assert all(getattr(Config(), option.attribute) == option.default for option in OPTIONS)


def test_examples_of_all_options_can_be_read():
    """What the reference shows must work."""
    import tomllib

    for option in OPTIONS:
        read(tomllib.loads(f"{option.key} = {option.example}"), "example")


def test_settings_are_toml_that_means_the_same():
    """What --show-settings prints can be pasted into a file."""
    import tomllib

    config = read({"select": ["BN1"], "per-file-ignores": {"t/**": ["BN2"]}, "target": {"keras": "3"}}, "")
    assert read(tomllib.loads(settings(config)), "") == config


def test_the_nearest_configuration_counts(tmp_path):
    """bnlint.toml before pyproject.toml, and a pyproject.toml without our table is none."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.bnlint]\njobs = 1\n")
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert find(inner) == tmp_path / "pyproject.toml"
    (tmp_path / "a" / "bnlint.toml").write_text("jobs = 2\n")
    found = find(inner)
    assert found == tmp_path / "a" / "bnlint.toml"
    assert load(found).jobs == 2


def codes(**choices):
    """Path and code of what is reported of two bad files."""
    return [(path, code) for path, _, code in found_in(BAD, RULES, Config(jobs=-1, **choices))]


def test_the_longer_code_wins_between_select_and_ignore():
    """`ignore = ["BN1"]` with `select = ["BN103"]` runs BN103."""
    assert len(codes()) == 2
    assert codes(ignore=("BN1",)) == []
    assert len(codes(select=("BN103",), ignore=("BN1",))) == 2
    assert codes(select=("BN1",), ignore=("BN103",)) == []
    assert codes(select=("BN2",)) == []
    assert len(codes(select=("BN2",), extend_select=("BN103",))) == 2


def test_thresholds_hide_what_is_below_them():
    """Severity and confidence are separate questions."""
    assert len(codes(min_severity="error")) == 2
    assert len(codes(min_confidence="high")) == 2


def test_per_file_ignores_match_paths_relative_to_the_configuration(tmp_path, monkeypatch):
    """Tests may do what products may not."""
    monkeypatch.chdir(tmp_path)
    found = codes(per_file_ignores=(("tests/**", ("BN1",)),), folder=tmp_path)
    assert found == [("a.py", "BN103")]


def test_only_what_changes_the_findings_is_in_the_fingerprint():
    """More processes do not make other findings."""
    assert fingerprint(Config(jobs=1)) == fingerprint(Config(jobs=2, cache=False))
    assert fingerprint(Config()) != fingerprint(Config(persona="auditor"))


# --- which files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository with sources, a virtual environment, generated code and a loop of links."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "pkg/b.py", "pkg/gen/c.py", "venv/d.py", "notes.txt", "pkg/e.ipynb", ".git/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("gen/\n")
    (tmp_path / "pkg" / "loop").symlink_to(tmp_path)
    (tmp_path / "pkg" / "broken.py").symlink_to(tmp_path / "nowhere.py")
    return tmp_path


def paths(tree, selection=Selection(), *names, **more):  # noqa: B008 - frozen
    """Reported paths below the tree."""
    return [s.path for s in discover([tree / name for name in names or (".",)], selection, **more) if s.reported]


def test_sources_are_found_sorted_without_what_is_excluded_or_ignored_by_git(tree):
    """No virtual environments, no caches, no loops."""
    assert paths(tree) == ["a.py", "pkg/b.py", "pkg/e.ipynb"]
    assert paths(tree, Selection(gitignore=False)) == ["a.py", "pkg/b.py", "pkg/e.ipynb", "pkg/gen/c.py"]
    assert paths(tree, Selection(), "pkg/gen") == ["pkg/gen/c.py"]  # named on purpose
    assert paths(tree, Selection(exclude=("pkg", ".git"))) == ["a.py", "venv/d.py"]
    assert paths(tree, Selection(exclude=("pkg/*.py", "venv", ".git"))) == ["a.py", "pkg/e.ipynb"]


def test_a_named_file_is_read_even_if_it_is_excluded_unless_forced(tree):
    """Whoever names a file wants it; hooks name all of them and can force the exclusion."""
    assert paths(tree, Selection(), "venv/d.py") == ["venv/d.py"]
    assert paths(tree, Selection(force_exclude=True), "venv/d.py") == []


def test_the_project_around_a_file_is_read_but_not_reported(tree):
    """Up to the nearest root of a project, and never a whole home."""
    found = discover([tree / "pkg" / "b.py"], Selection())
    assert [(s.path, s.reported) for s in found] == [("a.py", False), ("pkg/b.py", True), ("pkg/e.ipynb", False)]
    assert [s.path for s in discover([tree / "pkg" / "b.py"], Selection(), around=False)] == ["pkg/b.py"]


def test_a_home_is_not_a_project(tmp_path, monkeypatch):
    """Some people keep their home under version control."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".git").mkdir()
    (tmp_path / "a.py").write_text("")
    assert project_root(tmp_path / "a.py") is None


def test_paths_are_shown_relative_where_that_is_shorter(tmp_path, monkeypatch):
    """And absolute elsewhere, always with forward slashes."""
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b.py") == "a/b.py"
    assert shown(tmp_path.parent / "c.py") == f"{tmp_path.parent}/c.py".replace("\\", "/")
