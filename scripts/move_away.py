"""Copy the tests and what they read into the working directory, so that they run where the source tree cannot be imported."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("tests", "examples", "docs", "scripts")
FILES = ("pyproject.toml", "README.md", "tox.ini", "LICENSE", ".pre-commit-hooks.yaml", "action.yml")


def main() -> int:
    """Refuse to fill the source tree itself; else copy."""
    here = Path.cwd()
    if here == ROOT:
        print("got the source tree as working directory, expected an empty folder; try `tox -e wheel`", file=sys.stderr)
        return 2
    for name in FOLDERS:
        shutil.rmtree(here / name, ignore_errors=True)
        shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, here / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
