"""Which files are read: patterns as git reads them, wherever the run is started."""

import os
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnlint.cli import main
from bnlint.config import Config
from bnlint.patterns import Excluder
from bnlint.source import Selection, discover

NAMES = ["a", "b", "build_x", "gen", "x.py", "y.py", "keep.py"]
PATTERNS = ["*", "*.py", "a", "b/", "/a", "a/b", "**/gen", "gen/**", "!keep.py", "!a/", "!x.py", "build_*", "a/*", "!a/x.py", "# no", "", "b/**/y.py", "?.py", "[ab]"]  # fmt: skip
PATHS = [f"{one}{two}{file}" for one in ("", "a/", "b/", "gen/") for two in ("", "b/", "build_x/") for file in ("x.py", "keep.py")]  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with the same files in many folders, and none committed."""
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    for path in PATHS:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("")
    return folder


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        st.sampled_from(["", "a/", "a/b/", "gen/", ".git/info/exclude"]),
        st.lists(st.sampled_from(PATTERNS), max_size=4),
        max_size=3,
    )
)
def test_what_git_ignores_is_not_read(repository, files):
    """Nested ignore files, exceptions from them, and .git/info/exclude mean what they mean to git itself."""
    for old in [*repository.rglob(".gitignore"), repository / ".git" / "info" / "exclude"]:
        old.unlink(missing_ok=True)
    for where, lines in files.items():
        file = repository / (where if where.startswith(".git/") else f"{where}.gitignore")
        file.write_text("\n".join(lines) + "\n")
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "-z"], cwd=repository, capture_output=True, check=True
    ).stdout.decode()  # fmt: skip
    expected = {path for path in listed.split("\0") if path.endswith(".py")}
    selection = Selection((".git",), gitignore=True, base=repository)
    found = {os.path.relpath(source.file, repository) for source in discover([repository], selection, around=False)}
    assert found == expected


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Sources, tests and old experiments, with a configuration at the top."""
    for name in ("a.py", "exp/n.py", "exp/old/o.py", "tests/t.py", "old/p.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("import torch\nmodel.eval\n")
    (tmp_path / "bnlint.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(capsys, *words):
    """What `--show-files` prints."""
    assert main([*words, "--show-files"]) == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(("pattern", "left"), [
    ("exp/old", ["a.py", "exp/n.py", "old/p.py", "tests/t.py"]),
    ("exp/old/", ["a.py", "exp/n.py", "old/p.py", "tests/t.py"]),
    ("old", ["a.py", "exp/n.py", "tests/t.py"]),
    ("**/old", ["a.py", "exp/n.py", "tests/t.py"]),
    ("[ot]*", ["a.py", "exp/n.py"]),
    ("exp/**/o.py", ["a.py", "exp/n.py", "old/p.py", "tests/t.py"]),
    ("./exp", ["a.py", "old/p.py", "tests/t.py"]),
])  # fmt: skip
def test_a_pattern_with_a_slash_is_relative_to_the_configuration(tree, capsys, monkeypatch, pattern, left):
    """The same files are left out whichever folder is searched, and from wherever."""
    if not pattern.startswith("./"):  # only a shell writes that
        (tree / "bnlint.toml").write_text(f'extend-exclude = ["{pattern}"]\n')
        assert files(capsys, ".") == left
        assert files(capsys, "exp") == [name for name in left if name.startswith("exp/")]
        monkeypatch.chdir(tree / "exp")
        assert files(capsys, ".") == [name.removeprefix("exp/") for name in left if name.startswith("exp/")]
        (tree / "bnlint.toml").write_text("")
        monkeypatch.chdir(tree)
    assert files(capsys, ".", "--extend-exclude", pattern) == left


def test_a_pattern_of_the_command_line_is_relative_to_the_working_directory(tree, capsys, monkeypatch):
    """A path that the shell completes is a path from here."""
    monkeypatch.chdir(tree / "exp")
    assert files(capsys, "..", "--exclude", "old/,../tests/t.py") == [f"{tree}/a.py", "n.py"]
    assert files(capsys, "..", "--exclude", f"{tree}/exp") == [
        f"{tree}/{name}" for name in ("a.py", "old/p.py", "tests/t.py")
    ]


def test_named_files_are_read_unless_excluding_is_forced(tree, capsys):
    """Who names a file wants it; a hook hands over whatever was changed."""
    (tree / "bnlint.toml").write_text('exclude = ["exp/old", "t.py"]\n')
    assert files(capsys, "exp/old/o.py", "tests/t.py") == ["exp/old/o.py", "tests/t.py"]
    assert files(capsys, "exp/old/o.py", "exp/old", "tests/t.py", "a.py", "--force-exclude") == ["a.py"]


@pytest.mark.parametrize(("pattern", "silent"), [
    ("tests/**", ["tests/t.py"]),
    ("tests", ["tests/t.py"]),
    ("t.py", ["tests/t.py"]),
    ("exp/old/*.py", ["exp/old/o.py"]),
    ("**/[op].py", ["exp/old/o.py", "old/p.py"]),
    ("/old", ["old/p.py"]),
])  # fmt: skip
def test_per_file_ignores_read_patterns_as_git_does(tree, capsys, pattern, silent):
    """A name speaks of every file and folder of that name, a path of one place."""
    (tree / "bnlint.toml").write_text(f'per-file-ignores = {{"{pattern}" = ["BN103"]}}\n')
    main([".", "--quiet", "--no-cache"])
    loud = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert sorted({"a.py", "exp/n.py", "exp/old/o.py", "tests/t.py", "old/p.py"} - set(loud)) == silent


def test_names_outside_the_base_are_still_matched(tmp_path):
    """Another project may be linted from here: its virtual environment is one too."""
    excluded = Excluder(Config().exclude, tmp_path / "here")
    assert excluded(str(tmp_path / "there" / "venv"), "venv", folder=True)
    assert not excluded(str(tmp_path / "there" / "a.py"), "a.py")
