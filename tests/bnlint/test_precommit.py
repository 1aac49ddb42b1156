"""The real pre-commit, handed one changed file, reports a mistake that only shows across files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("anybn", "bnlint", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
CONFIG = "repos:\n  - repo: {hooks}\n    rev: {rev}\n    hooks:\n      - id: {hook}\n"

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]


def git(folder, *arguments):
    """Run git in `folder`, with no configuration but this; return what it prints."""
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "a"), ("EMAIL", "a@b.c"))
    }
    env = os.environ | who | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def hooks(tmp_path_factory):
    """This tree as a repository of hooks, with its one commit; and a home for pre-commit's environments."""
    folder = tmp_path_factory.mktemp("hooks")
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=all")
    return folder, git(folder, "rev-parse", "HEAD"), tmp_path_factory.mktemp("home")


@pytest.fixture
def project(tmp_path):
    """A repository that holds the wrapper, committed, and its careless caller, staged."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    shutil.copy(ROOT / "examples/tf1_wrapper/blocks.py", tmp_path)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=blocks")
    (tmp_path / "train.py").write_text(careless(), "utf-8")
    git(tmp_path, "add", "train.py")
    return tmp_path


def careless():
    """The repaired train.py, with the flag forgotten in one of its two calls of the wrapper."""
    text = (ROOT / "examples/fixed/tf1_wrapper/train.py").read_text("utf-8")
    assert text.count("dense_block(net, 32, is_training)") == 1
    return text.replace("dense_block(net, 32, is_training)", "dense_block(net, 32)")


def run_hook(hook, hooks, project):
    """Run one hook on what is staged; return its exit code and output."""
    folder, rev, home = hooks
    (project / ".pre-commit-config.yaml").write_text(
        CONFIG.format(hooks=folder.as_posix(), rev=rev, hook=hook), "utf-8"
    )
    env = os.environ | {"PRE_COMMIT_HOME": str(home), "GIT_CONFIG_GLOBAL": os.devnull, "NO_COLOR": "1"}
    git(project, "add", ".pre-commit-config.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--verbose"],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_changed_file_is_reported_with_what_another_file_says(hooks, project):
    """Only train.py is staged; the finding is in train.py, because of the default in blocks.py."""
    code, output = run_hook("bnlint", hooks, project)
    assert code == 1, output
    assert "BN201" in output
    assert "train.py:" in output
    assert "blocks.py:" in output


def test_the_mistake_shows_across_files_only(tmp_path):
    """Without blocks.py beside it, train.py is clean: nothing is guessed of a wrapper that cannot be read."""
    (tmp_path / "train.py").write_text(careless(), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bnlint", "train.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_fixing_hook_repairs_and_fails_once(hooks, project):
    """bnlint-fix changes the staged file (so the commit stops), and is content with the result."""
    shutil.copy(ROOT / "examples/torch_eval.py", project / "train.py")
    git(project, "add", "train.py")
    code, output = run_hook("bnlint-fix", hooks, project)
    assert code == 1, output
    assert (project / "train.py").read_text("utf-8").count("    model.eval()\n") == 1
    git(project, "add", "train.py")
    code, output = run_hook("bnlint-fix", hooks, project)
    assert code == 0, output
