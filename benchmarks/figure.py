"""One figure, two halves: speed against the limit, and error against the mean, so that neither is shown without the other."""

from pathlib import Path
from typing import Any

COLOURS = {
    "anybn numpy": "#0072b2",
    "anybn torch": "#56b4e9",
    "torch": "#d55e00",
    "jax.jit": "#009e73",
    "numpy textbook": "#999999",
}


def draw(results: dict[str, Any], path: Path) -> None:
    """Write the figure (svg or png) for a results file."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), constrained_layout=True)
    rows = [row for row in results["main"] if row["op"] == "forward" and "copy" in row["times"]][:8]
    width = 0.8 / len(COLOURS)
    for i, (name, colour) in enumerate(COLOURS.items()):
        places = [j + i * width for j in range(len(rows))]
        heights = [_share(row, name) for row in rows]
        left.bar(places, heights, width, label=name, color=colour)
    left.axhline(100 / 1.5, linestyle="--", color="black", linewidth=0.8)
    left.text(0, 100 / 1.5 + 1, "two reads and one write", fontsize=7)
    left.set_xticks(
        [j + 0.4 for j in range(len(rows))],
        [row["case"].replace(" float32", "") for row in rows],
        rotation=30,
        ha="right",
        fontsize=7,
    )
    left.set_ylabel("speed of a plain copy reached (%)")
    left.legend(fontsize=7)
    for name, values in results["error"]["y"]["NC"].items():
        right.loglog(
            [max(mean, 1.0) for mean in results["error"]["means"]], values, marker="o", markersize=3, label=name
        )
    right.axhline(1e-6, linestyle="--", color="black", linewidth=0.8)
    right.set_xlabel("mean of the data (standard deviation 1)")
    right.set_ylabel("largest error of y")
    right.legend(fontsize=7)
    machine = results["machine"]
    figure.suptitle(f"Training forward, float32, {machine['processor']}, {machine['threads']} thread(s)", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    pyplot.close(figure)


def _share(row: dict[str, Any], name: str) -> float:
    times = row["times"]
    return 100 * times["copy"]["best"] / times[name]["best"] if name in times else 0.0
