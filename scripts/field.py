"""Lint pinned real packages, and compare every finding with the judged list in tests/bnlint/field/.

The packages are downloaded and unpacked, never installed, imported or run. Each line of the list has a verdict (true, acceptable, false) and
one line of reason; a false one is a bug of its rule. `--update` rewrites the list and keeps the verdicts; what is new is `unjudged`, and fails.
"""

import argparse
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bnlint.config import Config
from bnlint.rules.table import RULES
from bnlint.run import lint

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / ".field"
LIST = ROOT / "tests" / "bnlint" / "field" / "findings.tsv"
PACKAGES = (
    "timm==1.0.31",
    "torchvision==0.29.2",
    "tf_slim==1.1.0",
    "tf_keras==2.21.0",
    "segmentation-models-pytorch==0.6.0",
)
VERDICTS = ("true", "acceptable")
HEAD = ("package", "file", "line", "code", "verdict", "reason")


class Row(NamedTuple):
    """One finding in one package, and what a reader thought of it."""

    package: str
    file: str
    line: int
    code: str
    verdict: str = "unjudged"
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What makes it the same finding."""
        return self[:4]


def fetch(package: str) -> Path:
    """Download and unpack one package; return its folder."""
    folder = STORE / package.replace("==", "-")
    if (folder / "ok").exists():
        return folder / "src"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
    subprocess.run(pip, check=True)
    archive = next(path for path in folder.iterdir() if path.suffix in {".whl", ".gz"})
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder / "src", [name for name in wheel.namelist() if name.endswith(".py")])
    else:
        with tarfile.open(archive) as source:
            source.extractall(folder / "src", filter="data")
    (folder / "src" / "pyproject.toml").touch()  # a project of its own: nothing of ours is linked with it
    (folder / "ok").touch()
    return folder / "src"


def findings(package: str) -> Iterator[Row]:
    """What the linter reports in one package, in the order of files and lines."""
    source = fetch(package)
    start = time.perf_counter()
    report = lint([source], Config(respect_gitignore=False, cache=False), RULES)
    print(f"{package}: {len(report.findings)} findings in {report.files} files, {time.perf_counter() - start:.1f} s")
    name = package.partition("==")[0]
    for finding in report.findings:
        path = Path(finding.place.path)
        file = (path if path.is_absolute() else Path.cwd() / path).relative_to(source)
        yield Row(name, file.as_posix(), finding.place.span.line if finding.place.span else 0, finding.code)


def judged() -> dict[tuple[str, str, int, str], Row]:
    """The committed list."""
    lines = LIST.read_text("utf-8").splitlines()[1:] if LIST.exists() else []
    cells = (line.split("\t") for line in lines)
    rows = [
        Row(package, file, int(line), code, verdict, reason) for package, file, line, code, verdict, reason in cells
    ]
    return {row.key: row for row in rows}


def write(rows: list[Row]) -> None:
    """Write the list."""
    LIST.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(HEAD), *("\t".join(map(str, row)) for row in rows)]
    LIST.write_text("\n".join(lines) + "\n", "utf-8")


def complaints(rows: list[Row], known: dict[tuple[str, str, int, str], Row]) -> Iterator[str]:
    """What is new, gone, unjudged or false."""
    for row in rows:
        if row.key not in known:
            yield f"new: {row.package} {row.file}:{row.line} {row.code}"
        elif known[row.key].verdict not in VERDICTS or not known[row.key].reason:
            yield f"{known[row.key].verdict or 'unjudged'}: {row.package} {row.file}:{row.line} {row.code}"
    for key in known.keys() - {row.key for row in rows}:
        yield "gone: " + " ".join(map(str, key))


def main() -> int:
    """Return 1 when the findings are not those of the list, or one of them is not judged as right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--update", action="store_true", help="rewrite the list, keeping the verdicts")
    update = parser.parse_args().update
    known = judged()
    rows = [known.get(row.key, row) for package in PACKAGES for row in dict.fromkeys(findings(package))]
    if update:
        write(rows)
        known = judged()
    found = sorted(complaints(rows, known))
    print(*found, sep="\n")
    print(
        f"{len(rows)} findings; "
        + ", ".join(f"{n} {verdict}" for verdict, n in Counter(row.verdict for row in rows).items())
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
