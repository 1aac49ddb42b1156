"""Speed of the linter: ``python -m benchmarks.lint TREE --large TREE --peers FOLDER`` writes ``results/lint.json``.

Side by side on TREE, on one core: bnlint with all rules, and the linters found in FOLDER. On the large tree, on all cores:
cold, warm, one file changed, start-up, peak memory; and trees of growing size made of its files. The flake8 in FOLDER
must stand alone: TorchFix and others are plugins of it where they are installed beside it. Every figure is the
smallest of the rounds. Processor time is what is compared, because other programs share the machine; wall time is kept.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.machine import describe

ALL_RULES = (
    "--isolated",
    "--no-whole-project",
    "--persona",
    "auditor",
    "--min-severity",
    "note",
    "--min-confidence",
    "low",
    "-q",
)
PEERS = {
    "torch-preflight": ("torch-preflight", "check"),
    "TorchFix": ("torchfix", "--select", "ALL", "--jobs", "1"),
    "flake8": ("flake8", "--jobs", "1"),
}
SIZES = (1_000, 10_000, 100_000, 500_000)


class Run(NamedTuple):
    """One run: seconds on the clock and of the processors, and the most memory of all its processes (PSS, MB)."""

    wall: float
    cpu: float
    memory: float


def lines_of(tree: Path) -> int:
    """All lines of a tree's Python files."""
    return sum(file.read_bytes().count(b"\n") for file in tree.rglob("*.py"))


def bnlint(*arguments: str) -> list[str]:
    """The command line of this source tree's linter."""
    return [sys.executable, "-m", "bnlint", *arguments]


def measure(command: Sequence[str], *, cores: int = 0, memory: bool = False) -> Run:
    """Run a command on the first `cores` cores (0: all)."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    allowed = sorted(os.sched_getaffinity(0))
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed[:cores] if cores else allowed),  # noqa: PLW1509 - one thread
    )
    peak = 0
    while memory and process.poll() is None:
        peak = max(peak, sum(_pss(pid) for pid in _family(process.pid)))
        time.sleep(0.1)
    process.wait()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(round(wall, 3), round(cpu, 3), round(peak / 1024, 1))


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _pss(pid: int) -> int:
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()
    except OSError:
        return 0
    return next((int(row.split()[1]) for row in rows if row.startswith("Pss:")), 0)


def best(runs: Sequence[Run]) -> dict[str, float]:
    """The smallest of each, memory the largest."""
    return {"wall": min(r.wall for r in runs), "cpu": min(r.cpu for r in runs), "memory": max(r.memory for r in runs)}


def side_by_side(tree: Path, peers: Path | None, rounds: int) -> dict[str, Any]:
    """Every linter in turn, round after round, on one core."""
    commands = {"bnlint": bnlint("--no-cache", *ALL_RULES, str(tree))}
    for name, (program, *arguments) in PEERS.items():
        if peers is not None and (peers / program).exists():
            commands[name] = [str(peers / program), *arguments, str(tree)]
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(measure(command, cores=1))
    found = {name: best(some) for name, some in runs.items()}
    own = found["bnlint"]["cpu"]
    ratios = {name: round(one["cpu"] / own, 2) for name, one in found.items() if name != "bnlint"}
    return {"tree": tree.name, "lines": lines_of(tree), "runs": found, "times_faster_than": ratios}


def states(tree: Path, rounds: int) -> dict[str, Any]:
    """Cold, warm, one file with a new remark, one with a new statement, and nothing but the version."""
    lines = lines_of(tree)
    cold, warm, remark, changed, version = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "tree")
        shutil.copytree(tree, copy)
        file = max(copy.rglob("*.py"), key=lambda one: (one.stat().st_size < 20_000, one.stat().st_size))
        for number in range(rounds):
            command = bnlint("--cache-dir", str(Path(folder, f"cache{number}")), *ALL_RULES, str(copy))
            cold.append(measure(command, memory=True))
            warm.append(measure(command))
            for line, runs in (("# changed", remark), (f"changed_{number} = {number}", changed)):
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(f"\n{line}\n")
                runs.append(measure(command))
            version.append(measure(bnlint("--version")))
    runs_of = {"cold": cold, "warm": warm, "remark": remark, "changed": changed, "version": version}
    found = {name: best(runs) for name, runs in runs_of.items()}
    return {
        "tree": tree.name,
        "lines": lines,
        "runs": found,
        "lines_per_second": {name: round(lines / found[name]["wall"]) for name in ("cold", "warm")},
        "lines_per_processor_second": round(lines / found["cold"]["cpu"]),
    }


def growth(tree: Path) -> list[dict[str, float]]:
    """Time over trees of growing size, on one core, in processor seconds."""
    files = sorted(tree.rglob("*.py"))
    found = []
    for wanted in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            lines = _grow(Path(folder), tree, files, wanted)
            run = measure(bnlint("--no-cache", *ALL_RULES, folder), cores=1)
        found.append({"lines": lines, "cpu": run.cpu, "lines_per_processor_second": round(lines / run.cpu)})
    return found


def _grow(folder: Path, tree: Path, files: Sequence[Path], wanted: int) -> int:
    """Copy files until there are enough lines; a second round of the tree stands beside the first."""
    lines, number = 0, 0
    while lines < wanted:
        file = files[number % len(files)]
        to = folder / f"copy{number // len(files)}" / file.relative_to(tree)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)
        lines += file.read_bytes().count(b"\n")
        number += 1
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Parse, measure, write, print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lint", description=__doc__)
    parser.add_argument("tree", type=Path, help="a tree for the comparison with other linters")
    parser.add_argument("--large", type=Path, help="a larger tree")
    parser.add_argument("--growth", type=Path, help="a tree whose files make trees of growing size")
    parser.add_argument("--peers", type=Path, help="folder with the programs of other linters")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/lint.json"))
    chosen = parser.parse_args(arguments)
    results: dict[str, Any] = {"machine": describe(1)}
    parts = {
        "states": lambda: states(chosen.large, chosen.rounds) if chosen.large else None,
        "side_by_side": lambda: side_by_side(chosen.tree, chosen.peers, chosen.rounds),
        "growth": lambda: growth(chosen.growth) if chosen.growth else None,
    }
    for name, part in parts.items():
        results[name] = part()
        print(name, json.dumps(results[name], indent=1), flush=True)
        chosen.output.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
