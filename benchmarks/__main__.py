"""Run the comparison, print the ratios, write JSON (and a figure): ``python -m benchmarks --help``."""

import argparse
import gc
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import accuracy, cases, memory
from benchmarks.machine import describe
from benchmarks.measure import Time, side_by_side

OPS = {"forward": cases.forward, "evaluate": cases.evaluate, "forward+backward": cases.both}
Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.5, help="for each case and operation")
    parser.add_argument("--quick", action="store_true", help="main cases only, a quarter of the time")
    parser.add_argument("--compile", action="store_true", help="also torch.compile of the core (half a minute a case)")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/cpu.json"))
    parser.add_argument("--figure", type=Path, help="write the figure of speed and error here")
    chosen = parser.parse_args(arguments)
    _set_threads(chosen.threads)
    seconds = chosen.seconds / 4 if chosen.quick else chosen.seconds
    results: dict[str, Any] = {"machine": describe(chosen.threads)}
    results["main"] = [
        _measure(case, op, seconds, chosen.compile and case.shape[0] == 64) for case in cases.MAIN for op in OPS
    ]
    if not chosen.quick:
        results["scaling"] = {
            axis: [_measure(case, "forward", seconds / 4) for case in row] for axis, row in cases.SCALING.items()
        }
        results["threads"] = _threads(seconds / 2)
        _set_threads(chosen.threads)
    results["error"] = {"means": list(accuracy.MEANS), "y": accuracy.errors()}
    results["memory"] = memory.peaks()
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(f"wrote {chosen.output}")
    if chosen.figure:
        from benchmarks.figure import draw

        draw(results, chosen.figure)
    return 0


def _threads(seconds: float) -> dict[str, list[Row]]:
    """Each library with so many threads of its own: {number of threads: rows}."""
    found: dict[str, list[Row]] = {}
    cores = os.cpu_count() or 1
    for threads in sorted({1, min(2, cores), cores}):
        _set_threads(threads)
        print(f"{threads} thread(s)")
        found[str(threads)] = [
            _measure(case, op, seconds) for case in cases.THREADED for op in ("forward", "forward+backward")
        ]
    return found


def _set_threads(threads: int) -> None:
    if find_spec("numba"):
        import numba

        numba.set_num_threads(threads)
    if find_spec("torch"):
        import torch

        torch.set_num_threads(threads)


def _measure(case: cases.Case, op: str, seconds: float, with_compile: bool = False) -> Row:
    calls = OPS[op](case)
    if with_compile and op == "forward":
        calls["torch.compile of the core"] = cases._Torch(cases.data(case), case).compiled()
    times = side_by_side(calls, seconds=seconds)
    row = as_row(case.name, op, times)
    print(f"{op:16} {case.name:32} " + "  ".join(f"{k} {v['best'] * 1e3:.3f} ms" for k, v in row["times"].items()))
    print(f"{'':50}" + "  ".join(f"{k} {v:.2f}" for k, v in row["ratios"].items()), flush=True)
    del calls
    gc.collect()
    return row


def as_row(name: str, op: str, times: dict[str, Time]) -> Row:
    """Return times and the ratios that matter: others over ours, and ours over a copy."""
    best = {key: time.best for key, time in times.items()}
    ratios = {}
    for ours in ("anybn numpy", "anybn torch", "anybn cupy"):
        for other in best:
            if ours in best and not other.startswith("anybn") and other != "copy":
                ratios[f"{other} / {ours}"] = best[other] / best[ours]
        if ours in best and "copy" in best:
            ratios[f"{ours} / copy"] = best[ours] / best["copy"]
    return {"case": name, "op": op, "times": {key: time._asdict() for key, time in times.items()}, "ratios": ratios}


if __name__ == "__main__":
    sys.exit(main())
