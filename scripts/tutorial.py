"""The tutorial: a template whose commands are run in a copy of examples/tutorial, one after the other."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = Path(__file__).parent / "templates" / "tutorial.md"
FENCE = re.compile(r'^```(?P<kind>\w+)(?: title="(?P<file>[^"]+)")?\n(?P<body>.*?)^```$', re.MULTILINE | re.DOTALL)


class Step(NamedTuple):
    """A fenced block: a file to write, or commands with what they print."""

    kind: str
    file: str | None
    body: str

    def commands(self) -> Iterator[tuple[str, str]]:
        """Commands of a console block, each with its output as the template has it."""
        for part in re.split(r"^\$ ", self.body, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            yield command, printed


def steps(text: str) -> Iterator[Step]:
    """The blocks of a page in order."""
    for match in FENCE.finditer(text):
        yield Step(match["kind"], match["file"], match["body"])


def run(words: list[str], folder: Path) -> str:
    """What a command prints, as a terminal shows it."""
    env = os.environ | {
        "NO_COLOR": "1", "XDG_CACHE_HOME": str(folder / ".cache"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    done = subprocess.run(
        words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode > 1:
        raise RuntimeError(f"{words}: {done.stdout}")
    return done.stdout.replace(f"{folder}/", "")


def tutorial() -> dict[str, str]:
    """The page, with the output of every ``bnlint`` command; other commands keep what the template says (tests run them)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "flowers"
        shutil.copytree(ROOT / "examples" / "tutorial", folder, ignore=shutil.ignore_patterns("__pycache__", "*.pt"))

        def filled(match: re.Match[str]) -> str:
            step = Step(match["kind"], match["file"], match["body"])
            if step.file is not None:
                (folder / step.file).write_text(step.body, "utf-8")
            if step.kind != "console":
                return match[0]
            parts = [f"$ {command}\n{_printed(command, printed, folder)}" for command, printed in step.commands()]
            return "```console\n" + "".join(parts) + "```"

        return {"docs/tutorial.md": FENCE.sub(filled, TEMPLATE.read_text("utf-8"))}


def _printed(command: str, printed: str, folder: Path) -> str:
    words = command.split()
    return run([sys.executable, "-m", *words], folder) if words[0] == "bnlint" else printed
