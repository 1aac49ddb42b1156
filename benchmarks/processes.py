"""What a shared batch norm costs in messages: ``python -m benchmarks.processes`` measures gloo and prints a table."""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import anybn
from anybn.sync.torch import Across
from benchmarks.machine import describe

CHANNELS = (16, 256, 4096)
REPEATS = 200


def main() -> int:
    """Measure 1, 2 and 4 processes and write what they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/processes.json"))
    chosen = parser.parse_args()
    rows: list[dict[str, float]] = []
    for size in (1, 2, 4):
        with tempfile.TemporaryDirectory() as folder:
            mp.spawn(_process, (size, folder), size)
            rows.extend(json.loads((Path(folder) / "rows.json").read_text("utf-8")))
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps({"machine": describe(1), "rows": rows}, indent=1) + "\n", "utf-8")
    print(table(rows))
    return 0


def _process(rank: int, size: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size)
    reduce = Across()
    rows = []
    for channels in CHANNELS:
        moments = anybn.Moments(
            8.0, torch.zeros(channels, dtype=torch.float64), torch.ones(channels, dtype=torch.float64)
        )
        sums = torch.zeros(2 * channels, dtype=torch.float64)
        forward = _median(lambda moments=moments: reduce(moments))
        backward = _median(lambda sums=sums: reduce.total(sums))
        rows.append({"processes": size, "channels": channels, "forward": forward, "backward": backward})
    if rank == 0:
        (Path(folder) / "rows.json").write_text(json.dumps(rows), "utf-8")
    dist.destroy_process_group()


def _median(call: Callable[[], object]) -> float:
    """Median time of a call in microseconds, all processes starting together."""
    call()
    times = []
    for _ in range(REPEATS):
        dist.barrier()
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def table(rows: list[dict[str, float]]) -> str:
    """Markdown table with the model's prediction beside what was measured (microseconds)."""
    forward = model([row for row in rows if row["processes"] == 2])
    lines = ["| processes | C | forward | model | backward |", "|---|---|---|---|---|"]
    for row in rows:
        predicted = forward(int(row["processes"]), int(row["channels"]))
        lines.append(
            f"| {row['processes']:.0f} | {row['channels']:.0f} | {row['forward']:.0f} | {predicted:.0f} | {row['backward']:.0f} |"
        )
    return "\n".join(lines)


def model(pair: list[dict[str, float]]) -> Callable[[int, int], float]:
    """Return ``T(K, C) = (K - 1) * (alpha + beta * bytes)`` of a ring all-gather, fitted to two processes (least squares)."""
    sizes = [message_bytes(int(row["channels"])) for row in pair]
    times = [row["forward"] for row in pair]
    mean_size, mean_time = statistics.mean(sizes), statistics.mean(times)
    spread = sum((size - mean_size) ** 2 for size in sizes)
    beta = max(0.0, sum((s - mean_size) * (t - mean_time) for s, t in zip(sizes, times, strict=True)) / spread)
    alpha = mean_time - beta * mean_size
    return lambda processes, channels: (processes - 1) * (alpha + beta * message_bytes(channels))


def message_bytes(channels: int) -> int:
    """Bytes that one process sends in a forward pass: mean, m2, count and the mark of the kind, in float64."""
    return 8 * (2 * channels + 2)


if __name__ == "__main__":
    raise SystemExit(main())
