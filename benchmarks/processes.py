"""What a shared batch norm costs in messages: ``python -m benchmarks.processes`` measures gloo and writes a file of results.

`scripts/generate.py` makes the table of docs/scaling.md of it.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import describe

CHANNELS = (16, 256, 4096)
REPEATS = 300


def main() -> int:
    """Measure 1, 2 and 4 processes and write what they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/processes.json"))
    chosen = parser.parse_args()
    rows: list[dict[str, float]] = []
    import torch.multiprocessing as mp

    for size in (1, 2, 4):
        with tempfile.TemporaryDirectory() as folder:
            mp.spawn(_process, (size, folder), size)
            rows.extend(json.loads((Path(folder) / "rows.json").read_text("utf-8")))
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps({"machine": describe(1), "rows": rows}, indent=1) + "\n", "utf-8")
    print(table(rows))
    print(f"wrote {chosen.output}; now: python scripts/generate.py")
    return 0


def _process(rank: int, size: int, folder: str) -> None:
    import torch
    import torch.distributed as dist

    import anybn
    from anybn.sync.torch import Across

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size)
    reduce = Across()
    rows = []
    for channels in CHANNELS:
        moments = anybn.Moments(
            8.0, torch.zeros(channels, dtype=torch.float64), torch.ones(channels, dtype=torch.float64)
        )
        sums = torch.zeros(2 * channels, dtype=torch.float64)
        forward = _best(lambda moments=moments: reduce(moments))
        backward = _best(lambda sums=sums: reduce.total(sums))
        rows.append({"processes": size, "channels": channels, "forward": forward, "backward": backward})
    if rank == 0:
        (Path(folder) / "rows.json").write_text(json.dumps(rows), "utf-8")
    dist.destroy_process_group()


def _best(call: Callable[[], object]) -> float:
    """Best time of a call in microseconds, all processes starting together: what the others of the machine did is not in it."""
    import torch.distributed as dist

    call()
    times = []
    for _ in range(REPEATS):
        dist.barrier()
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times) * 1e6


def table(rows: list[dict[str, float]]) -> str:
    """Markdown table with the model's prediction beside what was measured (microseconds)."""
    forward, backward = model(rows, "forward", message_bytes), model(rows, "backward", gradient_bytes)
    lines = ["| processes | C | forward | model | backward | model |", "|---|---|---|---|---|---|"]
    for row in rows:
        size, channels = int(row["processes"]), int(row["channels"])
        one = (forward(size, channels), backward(size, channels)) if size > 1 else None
        predicted = [f"{value:.0f}" for value in one] if one else ["–", "–"]
        lines.append(
            f"| {size} | {channels} | {row['forward']:.0f} | {predicted[0]} | {row['backward']:.0f} | {predicted[1]} |"
        )
    return "\n".join(lines)


def model(rows: list[dict[str, float]], what: str, size_of: Callable[[int], int]) -> Callable[[int, int], float]:
    """Return the ring's ``T(K, C)``, alpha and beta fitted to the rows with two processes (least squares), above the time of one.

    Forward, an all-gather: ``T1(C) + (K - 1) * (alpha + beta * bytes)``. Backward, an all-reduce: ``T1(C) + 2 * (K - 1) *
    (alpha + beta * bytes / K)``.
    """
    alone = {int(row["channels"]): row[what] for row in rows if row["processes"] == 1}
    pair = [row for row in rows if row["processes"] == 2]
    sizes = [size_of(int(row["channels"])) / (1 if what == "forward" else 2) for row in pair]
    hops = 1 if what == "forward" else 2
    times = [(row[what] - alone[int(row["channels"])]) / hops for row in pair]
    mean_size, mean_time = statistics.mean(sizes), statistics.mean(times)
    spread = sum((size - mean_size) ** 2 for size in sizes)
    beta = max(0.0, sum((s - mean_size) * (t - mean_time) for s, t in zip(sizes, times, strict=True)) / spread)
    alpha = max(0.0, mean_time - beta * mean_size)

    def predicted(processes: int, channels: int) -> float:
        size = size_of(channels) / (1 if what == "forward" else processes)
        return alone[channels] + hops * (processes - 1) * (alpha + beta * size)

    return predicted


def message_bytes(channels: int) -> int:
    """Bytes that one process sends in a forward pass: mean, m2, count and the mark of the kind, in float64."""
    return 8 * (2 * channels + 2)


def gradient_bytes(channels: int) -> int:
    """Bytes that are added up in autograd's backward pass: two sums a channel, in float64."""
    return 16 * channels


if __name__ == "__main__":
    raise SystemExit(main())
