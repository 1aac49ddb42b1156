"""The command line as users and hooks meet it: exit codes, what it prints, what it leaves alone."""

import io
import json
import os
import subprocess
import sys
import time

import pytest

from bnlint import __version__
from bnlint.cli import main

BAD = "import torch\n\nmodel.eval\n"
GOOD = "import torch\n\nmodel.eval()\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_findings_make_the_exit_code_1_and_none_make_it_0(folder, capsys):
    """Hooks and CI read the exit code only."""
    (folder / "a.py").write_text(BAD)
    assert main(["a.py"]) == 1
    assert "a.py:3:1: error[BN103]" in capsys.readouterr().out
    (folder / "a.py").write_text(GOOD)
    assert main(["a.py"]) == 0
    assert capsys.readouterr().out == "Nothing to report in 1 file.\n"


def test_exit_zero_reports_and_succeeds(folder, capsys):
    """A first run in an old project must not break its CI."""
    (folder / "a.py").write_text(BAD)
    assert main(["--exit-zero", "."]) == 0
    assert "BN103" in capsys.readouterr().out


def test_a_file_that_cannot_be_read_is_a_note_and_only_counts_when_strict(folder, capsys):
    """One broken file says nothing about the others."""
    (folder / "a.py").write_text("import torch\nprint('x' model.eval())\n")
    assert main(["."]) == 0
    assert "a.py:2:7: note[BN901] not analysed: not valid Python 3" in capsys.readouterr().out
    assert main(["--strict", "."]) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.py"], "nowhere.py: no such file or folder"),
        (["--format", "sarfi", "."], "got the format 'sarfi', expected one of"),
        (["--select", "BN13", "."], "did you mean 'BN"),
        (["--persona", "pedant", "."], "expected one of regular, pedantic, auditor"),
        (["--unsafe-fixes", "."], "expected --fix or --diff with it"),
        (["--baseline", "none.json", "."], "make one with --update-baseline"),
        (["--update-baseline", "."], "expected --baseline FILE"),
        (["--config", "none.toml", "."], "none.toml"),
        (["explain", "BN1031"], "did you mean BN103"),
        (["-", "a.py"], "expected - alone"),
        (["test-rule", "nowhere.py"], "no such file"),
    ],
)
def test_what_cannot_be_done_is_said_and_makes_the_exit_code_2(folder, capsys, words, says):
    """Got, expected, try; never a traceback."""
    (folder / "a.py").write_text(GOOD)
    assert main(words) == 2
    assert says in capsys.readouterr().err


def test_files_named_alone_are_understood_with_their_project_and_reported_alone(folder, capsys):
    """A hook hands over the changed files; what they mean stands in others."""
    (folder / "pyproject.toml").write_text("")
    (folder / "nets.py").write_text(
        "import torch.nn as nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.bn = nn.BatchNorm1d(3, momentum=0.99)\n"
    )
    (folder / "main.py").write_text("import torch\nfrom nets import Net\n\nnet = Net()\nnet.eval\n")
    assert main(["main.py", "-q"]) == 1
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["main.py"]
    assert main([".", "-q"]) == 1
    assert "nets.py" in capsys.readouterr().out


def test_diff_shows_and_fix_writes(folder, capsys):
    """--diff is --fix without the writing."""
    (folder / "a.py").write_text(BAD)
    assert main(["--diff", "."]) == 1
    assert "-model.eval\n+model.eval()\n" in capsys.readouterr().out
    assert (folder / "a.py").read_text() == BAD
    assert main(["--fix", "."]) == 0
    assert (folder / "a.py").read_text() == GOOD
    assert main(["--diff", "."]) == 0


def test_standard_input_is_linted_under_its_name(folder, capsys, monkeypatch):
    """Editors hand over the text that is not saved yet."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    assert main(["-", "--stdin-filename", "pkg/a.py", "-q"]) == 1
    assert capsys.readouterr().out.startswith("pkg/a.py:3:1: BN103")


def test_standard_input_is_repaired_to_standard_output(folder, capfdbinary, monkeypatch):
    """`bnlint --fix - < a.py` gives the repaired text and nothing else."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    assert main(["-", "--fix"]) == 0
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == GOOD.encode()


def test_show_files_and_show_settings_stop_there(folder, capsys):
    """What would be read, and by which settings."""
    (folder / "a.py").write_text(BAD)
    (folder / "notes.txt").write_text("x")
    (folder / "venv").mkdir()
    (folder / "venv" / "b.py").write_text(BAD)
    assert main(["--show-files", "."]) == 0
    assert capsys.readouterr().out == "a.py\n"
    assert main(["--show-settings", "--persona", "auditor"]) == 0
    assert 'persona = "auditor"' in capsys.readouterr().out


def test_output_file_takes_the_report(folder, capsys):
    """The terminal stays quiet, the file holds valid JSON."""
    (folder / "a.py").write_text(BAD)
    assert main(["--format", "json", "--output-file", "out.json", "a.py"]) == 1
    assert capsys.readouterr().out == ""
    assert json.loads((folder / "out.json").read_text())["findings"][0]["code"] == "BN103"


def test_statistics_count_by_rule(folder, capsys):
    """The rules with the most findings come first."""
    (folder / "a.py").write_text(BAD + "model.train\n")
    assert main(["--statistics", "."]) == 1
    assert "2  BN103 eval-without-call" in capsys.readouterr().out


def test_explain_prints_the_page_of_a_rule(capsys):
    """By code or by name, whatever the case."""
    assert main(["explain", "bn103"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("# BN103 eval-without-call")
    assert main(["explain", "eval-without-call"]) == 0
    assert capsys.readouterr().out == page


def test_rules_lists_every_code(capsys):
    """One line a rule."""
    assert main(["rules"]) == 0
    assert "BN103  eval-without-call" in capsys.readouterr().out


def _run(*words, **more):
    return subprocess.run([sys.executable, "-m", "bnlint", *words], capture_output=True, text=True, **more)


def test_version_is_quick_and_imports_no_libcst():
    """Hooks ask for the version at every start; heavy imports are late."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        done = _run("--version")
        times.append(time.perf_counter() - start)
    assert done.stdout == f"bnlint {__version__}\n"
    bare = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import argparse"], check=True)
        bare.append(time.perf_counter() - start)
    assert min(times) < 2.5 * min(bare) + 0.05
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bnlint", "--version"], capture_output=True, text=True
    )
    assert "libcst" not in listed.stderr
    assert "bnlint.rules" not in listed.stderr


def test_a_clean_run_imports_no_libcst(folder):
    """LibCST is for repairs and for syntax that is newer than the running Python."""
    (folder / "a.py").write_text(BAD)
    code = "import sys; from bnlint.cli import main; main(['--no-cache', 'a.py']); sys.exit('libcst' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_colour_only_on_terminals_and_never_against_no_color(folder):
    """Reports in logs must be readable."""
    (folder / "a.py").write_text(BAD)
    assert "\x1b[" not in _run("a.py").stdout
    assert "\x1b[" in _run("--color", "always", "a.py").stdout
    assert "\x1b[" not in _run("a.py", env={**os.environ, "NO_COLOR": "1"}).stdout


def test_the_code_that_is_read_is_never_run(folder, capsys):
    """A linter is often the first program to touch a stranger's code."""
    (folder / "a.py").write_text("import torch\nopen('ran', 'w').close()\nmodel.eval\n")
    (folder / "conftest.py").write_text("open('ran', 'w').close()\n")
    (folder / "bnlint_rules.py").write_text("open('ran', 'w').close()\n")
    main(["."])
    main(["--fix", "."])
    assert not (folder / "ran").exists()


def test_rules_of_ones_own_are_imported_when_named(folder, capsys):
    """A module named in the configuration adds rules; `bnlint test-rule` runs their examples."""
    (folder / "our_rules.py").write_text(OWN_RULE)
    (folder / "bnlint.toml").write_text('rules = ["our_rules.py"]\n')
    (folder / "a.py").write_text("import torch\n\nforbidden()\nwith torch.no_grad(): pass\n")
    assert main(["a.py", "-q"]) == 1
    assert capsys.readouterr().out == "a.py:3:1: XX001 forbidden() is called\n"
    assert main(["test-rule", "our_rules.py"]) == 0
    assert "XX001 forbidden-call: ok" in capsys.readouterr().out


OWN_RULE = """
from bnlint.facts.walk import calls, dotted
from bnlint.rules._base import Example, Meta, rule

META = Meta(
    code="XX001", name="forbidden-call", severity="error", confidence="high", persona="regular", since="1",
    frameworks=(), says="{name}() is called", why="It is forbidden.",
    examples=(Example(bad="import torch, m\\n\\nm.training\\nforbidden()  # <-\\n", good="import torch, m\\n\\nm.training\\n"),),
)


@rule(META)
def forbidden_call(file, project):
    for call in calls(file.body):
        if dotted(call.func) == "forbidden":
            yield META.finding(file.path, call.at, name="forbidden")
"""
