"""The pages that a reader types from: every command of the tutorial and of the recipes runs, and does what is said."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r'^```(?P<kind>\w+)(?: no-run)?(?: title="(?P<file>[^"]+)")?\n(?P<body>.*?)^```$', re.MULTILINE | re.DOTALL
)
BNLINT = [sys.executable, "-m", "bnlint"]
BAD = "import torch\nmodel.eval\n"


def blocks(page, kind):
    """Bodies of the fenced blocks of one kind, with the file they are for."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return [(match["file"], match["body"]) for match in FENCE.finditer(text) if match["kind"] == kind]


def block(page, file):
    """The body of the block for one file."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return next(match["body"] for match in FENCE.finditer(text) if match["file"] == file)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project with one finding."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return tmp_path


def run(command, **more):
    """Run a command line of the page, with this Python's linter."""
    done = subprocess.run(["bash", "-c", f'bnlint() {{ {shlex.join(BNLINT)} "$@"; }}\n{command}'], capture_output=True, text=True, **more)  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


SHELL = [line for page in ("recipes.md",) for _, body in blocks(page, "sh") for line in body.splitlines()]


@pytest.mark.parametrize("command", SHELL)
def test_the_commands_of_the_recipes_run(folder, command):
    """Each finds the finding, or repairs it."""
    done = run(command)
    assert done.returncode == (0 if {"--exit-zero", "--fix"} & set(command.split()) else 1), done.stderr
    written = "".join(path.read_text() for path in folder.glob("bnlint.*"))
    assert "BN103" in done.stdout + written or done.stdout == BAD.replace("eval", "eval()")


def test_gitlab_gets_the_file_that_its_job_names(folder):
    """The report is where `artifacts` looks for it, also when the job fails."""
    job = yaml.safe_load(block("recipes.md", ".gitlab-ci.yml"))["bnlint"]
    done = run(next(line for line in job["script"] if line.startswith("bnlint")))
    assert done.returncode == 1
    (issue,) = json.loads((folder / job["artifacts"]["reports"]["codequality"]).read_text())
    assert issue["location"] == {"path": "src/train.py", "lines": {"begin": 2, "end": 2}}
    assert job["artifacts"]["when"] == "always"


def test_the_problem_matcher_reads_what_is_printed(folder):
    """Every line of the task's output is one problem: in a file, in a cell of a notebook, and of a file that cannot be read."""
    (task,) = json.loads(block("recipes.md", ".vscode/tasks.json"))["tasks"]
    (folder / "old.py").write_text("import torch\ndef f(:\n    model.eval()\n")
    cell = {"cell_type": "code", "source": ["import torch\n", "net.eval\n"]}
    (folder / "book.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    lines = run(task["command"]).stdout.splitlines()
    pattern = task["problemMatcher"]["pattern"]
    found = [re.match(pattern["regexp"], line) for line in lines]
    read = sorted(tuple(match[pattern[name]] for name in ("file", "line", "column", "code")) for match in found)
    assert read == [
        ("book.ipynb", "2", "1", "BN103"),
        ("old.py", "2", "7", "BN901"),
        ("src/train.py", "2", "1", "BN103"),
    ]
    assert all((folder / file).is_file() for file, *_ in read)


def action():
    """The action, with the script of its lint step."""
    made = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    return made, next(step for step in made["runs"]["steps"] if step.get("id") == "lint")


@pytest.mark.parametrize(("text", "findings", "code"), [(BAD, "true", 0), (BAD.replace("eval", "eval()"), "false", 0), (None, "false", 2)])  # fmt: skip
def test_the_script_of_the_action_runs(folder, text, findings, code):
    """Findings are an output and a SARIF file, not an error of the step; only a linter that could not work is one."""
    _, step = action()
    if text is not None:
        (folder / "src" / "train.py").write_text(text)
    bin_folder = folder / "temp" / "bnlint" / "bin"
    bin_folder.mkdir(parents=True)
    for name, words in (("pip", ["true"]), ("bnlint", BNLINT)):  # what `python -m venv` and pip would put there
        (bin_folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        (bin_folder / name).chmod(0o755)
    outputs = folder / "outputs"
    env = {
        **os.environ, "PATHS": "src" if text is not None else "nowhere", "ARGUMENTS": "--min-severity warning", "REQUIREMENT": "x",
        "SARIF": str(folder / "bnlint.sarif"), "RUNNER_TEMP": str(folder / "temp"), "GITHUB_OUTPUT": str(outputs),
    }  # fmt: skip
    script = step["run"].replace("python -m venv", "true")
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], env=env, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert f"findings={findings}" in outputs.read_text()
    if code == 0:
        results = json.loads((folder / "bnlint.sarif").read_text())["runs"][0]["results"]
        assert bool(results) == (findings == "true")


def test_the_recipe_for_github_uses_the_inputs_that_the_action_has():
    """And the page lists all of them, with their defaults."""
    made, _ = action()
    (job,) = yaml.safe_load(block("recipes.md", ".github/workflows/bnlint.yml"))["jobs"].values()
    used = next(step["with"] for step in job["steps"] if "<repository>" in step.get("uses", ""))
    assert set(used) <= set(made["inputs"])
    listed = re.findall(
        r"^\| `([\w-]+)` \| (?:`([^`]*)`)?", (ROOT / "docs" / "recipes.md").read_text("utf-8"), re.MULTILINE
    )
    assert [name for name, _ in listed] == list(made["inputs"])
    assert {name: default for name, default in listed if name != "requirement"} == {
        name: one["default"] for name, one in made["inputs"].items() if name != "requirement"
    }


def test_the_recipe_for_pre_commit_names_hooks_that_exist():
    """The ids of .pre-commit-hooks.yaml."""
    (repo,) = yaml.safe_load(block("recipes.md", ".pre-commit-config.yaml"))["repos"]
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert [hook["id"] for hook in repo["hooks"]] == [hook["id"] for hook in hooks]


def test_the_rule_of_the_page_holds_its_examples(folder):
    """Written as the page says, `test-rule` is content, and a run reports and repairs."""
    for name in ("tools/our_rules.py", "pyproject.toml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(block("your-own-rule.md", name))
    ((_, console),) = blocks("your-own-rule.md", "console")
    done = run(console.removeprefix("$ "))
    assert (done.returncode, done.stdout) == (0, "OUR001 old-norm: ok\n"), done.stdout + done.stderr
    (folder / "src" / "train.py").write_text("import torch\nold_norm(3).eval()\n")
    assert "src/train.py:2:1: OUR001 old_norm() has been replaced" in run("bnlint -q .").stdout
    assert run("bnlint --fix -q .").returncode == 0
    assert (folder / "src" / "train.py").read_text() == "import torch\nnew_norm(3).eval()\n"


def test_what_is_believed_is_printed_as_the_page_shows_it(folder):
    """In the project of the tutorial."""
    shutil.copytree(ROOT / "examples" / "tutorial", folder / "flowers")
    ((_, body),) = blocks("how-it-decides.md", "console")
    command, _, printed = body.removeprefix("$ ").partition("\n")
    assert run(command, cwd=folder / "flowers").stdout == printed


def console(page):
    """Commands of a page with what they print, and the files between them, in order."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    for match in FENCE.finditer(text):
        if match["file"] is not None:
            yield match["file"], match["body"]
        elif match["kind"] == "console":
            for part in re.split(r"^\$ ", match["body"], flags=re.MULTILINE)[1:]:
                command, _, printed = part.partition("\n")
                yield command, printed


@pytest.mark.proof
def test_the_tutorial_does_what_it_says(folder, monkeypatch):
    """Typed in from top to bottom: the linter prints just that, and the programs' figures are those within 0.1."""
    pytest.importorskip("torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    flowers = folder / "flowers"
    shutil.copytree(ROOT / "examples" / "tutorial", flowers)
    figures = []
    for command, printed in console("tutorial.md"):
        if command.split()[0] not in {"bnlint", "python"}:
            (flowers / command).write_text(printed)
            continue
        done = run(command.replace("python ", f"{sys.executable} "), cwd=flowers)
        if command.startswith("bnlint"):
            said = (
                done.stdout + done.stderr
                if "--fix" not in command and "update" not in command
                else done.stderr + done.stdout
            )
            assert said.replace(f"{flowers}/", "") == printed, command
        else:
            assert done.returncode == 0, done.stderr
            numbers, expected = (
                [float(word) for word in re.findall(r"\d+(?:\.\d+)?", text)] for text in (done.stdout, printed)
            )
            assert [number / max(expected[-1], 1) for number in numbers] == pytest.approx(
                [number / max(expected[-1], 1) for number in expected], abs=0.1
            )
            figures.append(numbers)
    assert figures[0][1] < 0.7
    assert figures[2][1] > 0.85
    assert figures[1][0] < figures[3][0]
