"""What a user can get wrong: a sentence (got, expected, try), exit code 2, nothing written, and never a traceback."""

import io
import json
import os
import subprocess
import sys

import pytest

from bnlint.cli import main
from bnlint.examples import report_on
from bnlint.report.table import FORMATS, Style, render
from bnlint.rules.table import RULES

BAD = "import torch\n\nmodel.eval\n"
NAMES = ["a\nb.py", "::error::x.py", "\x1b[2J.py", "%0A, :.py", "-x.py", "ü ☃ 名.py", "\u202egpj.py"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with one file that has a finding, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work" / "a.py").write_text(BAD)
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([""], "got an empty path, expected a file or a folder; write . for this one"),
        (["--config", ".", "a.py"], "cannot be read: Is a directory; name another with --config, or none with --isolated"),
        (["--config", "no.toml", "a.py"], "no.toml: cannot be read: No such file or directory"),
        (["--config", "a.py", "a.py"], "a.py: got a file that is not TOML"),
        (["--select", "", "a.py"], "got an empty --select, expected codes or patterns with commas between them"),
        (["--select", "XX", "a.py"], "got the rule 'XX', expected a code or its beginning; `bnlint rules` lists them"),
        (["--jobs", "-3", "a.py"], "got -3, expected a whole number of 0 or more, such as 2"),
        (["--set", "jobs", "a.py"], "got --set 'jobs', expected a key and a value in TOML, such as"),
        (["--set", "job = 2", "a.py"], "got the key 'job', expected one of the known ones; did you mean 'jobs'?"),
        (["--set", 'target = {keras = "new"}', "a.py"], "got 'new' for keras, expected a version, such as"),
        (["--stdin-filename", "x.py", "a.py"], "got --stdin-filename without -, expected - as the path"),
        (["--fix", "--add-ignores", "a.py"], "got --fix and --add-ignores, expected one of them"),
        (["--fix", "--update-baseline", "--baseline", "b", "a.py"], "got --fix and --update-baseline, expected one"),
        (["--baseline", "a.py", "a.py"], "a.py: not a baseline: "),
        (["--baseline", ".", "a.py"], "not a baseline: "),
        (["--baseline", "no/b.json", "--update-baseline", "a.py"], "no/b.json: cannot be written: No such file"),
        (["--output-file", ".", "a.py"], "cannot be written: Is a directory"),
        (["--output-file", "no/x.json", "a.py"], "no/x.json: cannot be written: No such file"),
        (["explain", "eval-mising"], "expected the code or name of a rule; did you mean eval-missing?"),
        (["explain", "--trace", "a.py"], "expected a file and a line, such as train.py:42"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_a_sentence(folder, capsys, words, says):
    """What was got, what was expected, what to try."""
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("bnlint: ")
    assert says in said.err
    assert said.err.count("\n") == 1
    assert (folder / "a.py").read_text() == BAD
    assert [path.name for path in folder.iterdir()] == ["a.py"]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("bnlint.toml", b"\xff\xfe", "bnlint.toml: got a file that is not UTF-8, expected TOML; save it as UTF-8"),
        ("bnlint.toml", b"jobs = ", "bnlint.toml: got a file that is not TOML: "),
        ("pyproject.toml", b"[tool.bnlint]\njobs = ", "pyproject.toml: got a file that is not TOML: "),
        ("pyproject.toml", b"tool.bnlint = 3", "got 3 as [tool.bnlint], expected a table"),
        ("bnlint.toml", b"\xef\xbb\xbfjobz = 1", "got the key 'jobz', expected one of the known ones; did you mean"),
        ("bnlint.toml", b'select = ["BN10l"]', "got the rule 'BN10l', expected a code or its beginning; did you mean"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_names_itself(folder, capsys, name, data, says):
    """It is never passed over: a check that is silently off looks like clean code."""
    (folder / name).write_bytes(data)
    assert main(["a.py"]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("text", [
    "tool = 3\n", "[project]\ndependencies = ['bnlint']\n", "[tool.ruff]\n# [tool.bnlint]\n",
])  # fmt: skip
def test_a_pyproject_of_others_is_none_of_ours(folder, capsys, text):
    """Also if it names bnlint somewhere else."""
    (folder / "pyproject.toml").write_text(text)
    assert main(["--show-settings", "a.py"]) == 0
    assert capsys.readouterr().out.startswith("# no configuration file")


def test_our_table_is_found_however_it_is_written(folder, capsys):
    """TOML has more than one way to write a table."""
    (folder / "pyproject.toml").write_text('tool."bnlint".jobs = 3\n')
    assert main(["--show-settings", "a.py"]) == 0
    assert "jobs = 3" in capsys.readouterr().out


def test_set_goes_over_the_configuration_and_words_go_over_set(folder, capsys):
    """Every key can be given on the command line, also those that have no option, and those that a file turned on."""
    (folder / "bnlint.toml").write_text('strict = true\nmin-severity = "error"\ntarget = {keras = "2"}\n')
    words = ["--set", "strict = false", "--set", 'target = {keras = "3"}', "--set", 'persona = "auditor"', "--persona", "pedantic"]  # fmt: skip
    assert main([*words, "--show-settings"]) == 0
    printed = capsys.readouterr().out
    for line in ("strict = false", 'target = {"keras" = "3"}', 'persona = "pedantic"', 'min-severity = "error"'):
        assert f"\n{line}\n" in printed


@pytest.mark.parametrize("name", [*NAMES, os.fsdecode(b"\xff.py")])
@pytest.mark.parametrize("form", [*FORMATS, "quiet", "diff"])
def test_any_name_of_a_file_can_be_reported(folder, monkeypatch, name, form):
    """A stranger chose it: one line stays one line, nothing is obeyed by terminals or workflows, output is UTF-8."""
    (folder / "a.py").rename(folder / name)
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream, "utf-8", "strict"))
    words = [f"--{form}"] if form in {"quiet", "diff"} else ["--format", form]
    assert main([*words, "."]) == 1
    sys.stdout.flush()
    if form == "diff":
        assert os.fsencode(name) in stream.getvalue()  # a patch has the name as it is
        return
    text = stream.getvalue().decode()
    assert not set(text) & {"\x1b", "\u202e"} or form in {"json", "github", "gitlab", "junit", "sarif"}
    if form in {"quiet", "concise", "github"}:
        assert text.count("\n") == 1
        assert text.startswith("::error title=BN103") == (form == "github")
    if form == "json":
        (found,) = json.loads(text)["findings"]
        assert found["path"] == name


def test_a_source_cannot_speak_to_the_terminal():
    """Escape sequences and signs that turn the writing are shown as signs, in the frame and in the message."""
    report = report_on({"a.py": "import torch\n# \x1b]0;title\x07 \u202e\nnet.eval\n"}, RULES)
    text = render("text", report, Style())
    assert "    2 | # ␛]0;title␇ �\n" in text
    assert "\x1b" not in text


def test_the_underline_is_where_the_terminal_shows_the_code():
    """Wide letters take two columns, accents none."""
    report = report_on({"a.py": 'import torch\n名 = "日本"; ne\u0301.eval\n'}, RULES)
    frame = render("text", report, Style()).splitlines()
    line = next(n for n, text in enumerate(frame) if text.startswith("    2 |"))
    assert frame[line + 1] == "      | " + " " * 13 + "^" * 7


def test_a_terminal_without_unicode_gets_escapes(folder):
    """Not an exception while the report is printed."""
    (folder / "a.py").write_text("import torch\ns = '×'; model.eval\n", "utf-8")
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "bnlint", "."], capture_output=True, env=env)
    assert done.returncode == 1
    assert b"s = '\\xd7'" in done.stdout


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "got no JSON object"),
        (b"[]", "got no JSON object"),
        (b"{", "the JSON ends too early"),
        (b'{"cells": 3}', 'got JSON without a list of "cells"'),
        (b'{"metadata": {}}', 'got JSON without a list of "cells"'),
        (b'{"cells": [\xff]}', "got bytes that are not UTF-8, at 11"),
        (b'{"worksheets": [], "nbformat": 3}', "got format 3, expected 4; `jupyter nbconvert"),
    ],
)
def test_a_bad_notebook_is_a_note_that_says_why(folder, capsys, data, says):
    """It is not passed over as clean."""
    (folder / "n.ipynb").write_bytes(data)
    assert main(["n.ipynb"]) == 0
    assert f"n.ipynb:1:1: note[BN901] not analysed: not a notebook: {says}" in capsys.readouterr().out


def test_a_mistake_of_the_linter_itself_is_exit_code_2(folder, capsys, monkeypatch):
    """CI must not take a crash for findings."""
    import bnlint.commands.check as module

    monkeypatch.setattr(module, "configuration", lambda _: 1 / 0)
    assert main(["a.py"]) == 2
    assert "ZeroDivisionError" in (said := capsys.readouterr().err)
    assert said.endswith("this is a mistake of bnlint itself: please report it with the lines above\n")


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="permissions are those of POSIX")
def test_what_may_not_be_written_is_said_and_the_rest_is_repaired(folder, capsys):
    """A read-only file stays, although its folder would allow to replace it."""
    (folder / "b.py").write_text(BAD)
    (folder / "b.py").chmod(0o444)
    assert main(["--fix", "."]) == 2
    assert "bnlint: b.py: cannot be written: the file is read-only; nothing was changed" in capsys.readouterr().err
    assert (folder / "a.py").read_text() != BAD
    assert (folder / "b.py").read_text() == BAD


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_an_output_file_that_is_a_pipe_stays_one(folder):
    """Only real files are replaced."""
    os.mkfifo(folder / "pipe")
    with subprocess.Popen([sys.executable, "-c", "print(open('pipe').read())"], stdout=subprocess.PIPE) as reader:
        assert main(["--quiet", "--output-file", "pipe", "a.py"]) == 1
        assert b"BN103" in reader.communicate(timeout=60)[0]
    assert (folder / "pipe").is_fifo()


def test_an_output_file_is_replaced_whole(folder):
    """Whoever reads it meanwhile has the old one; links and permissions stay."""
    (folder / "real.txt").write_text("old")
    (folder / "real.txt").chmod(0o640)
    (folder / "out.txt").symlink_to("real.txt")
    with (folder / "real.txt").open() as before:
        assert main(["--quiet", "--output-file", "out.txt", "a.py"]) == 1
        assert before.read() == "old"
    assert (folder / "out.txt").is_symlink()
    assert "BN103" in (folder / "real.txt").read_text()
    assert (folder / "real.txt").stat().st_mode & 0o777 == 0o640
