"""The headline ratios as Markdown, from the results: ``python -m benchmarks.headline [--write README.md]``.

With ``--write`` the text between ``<!-- speed: begin -->`` and ``<!-- speed: end -->`` of the file is replaced.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "cpu.json"
MARKED = re.compile(r"(<!-- speed: begin[^>]*-->\n).*?(<!-- speed: end -->)", re.DOTALL)
COLUMNS = (
    ("forward, NumPy", "forward", "torch / anybn numpy"),
    ("forward, torch tensors", "forward", "torch / anybn torch"),
    ("forward + backward", "forward+backward", "torch / anybn torch"),
    ("of a plain copy", "forward", "anybn numpy / copy"),
)


def markdown(results: dict[str, Any]) -> str:
    """Return the table of ratios, and the machine, in Markdown."""
    machine, ratios = results["machine"], {}
    for row in results["main"]:
        for name, value in row["ratios"].items():
            ratios[row["case"], row["op"], name] = value
    cases = list(dict.fromkeys(row["case"] for row in results["main"]))
    lines = [
        "| data | " + " | ".join(title for title, _, _ in COLUMNS) + " |",
        "|---|" + "---:|" * len(COLUMNS),
        *(_line(case, ratios) for case in cases),
        "",
        f"Times of `torch.nn.functional.batch_norm` divided by ours, and ours divided by a plain copy, side by side in one run: "
        f"{machine['processor']}, {machine['threads']} thread(s), torch {machine['versions'].get('torch', '–')}, "
        f"numba {machine['versions'].get('numba', '–')}, float32. {_error(results)}",
    ]
    return "\n".join(lines) + "\n"


def _line(case: str, ratios: dict[tuple[str, str, str], float]) -> str:
    cells = [ratios.get((case, op, name)) for _, op, name in COLUMNS]
    return (
        f"| {case.removesuffix(' float32')} | " + " | ".join("–" if x is None else f"{x:.1f} ×" for x in cells) + " |"
    )


def _error(results: dict[str, Any]) -> str:
    layouts = results["error"]["y"].values()
    ours = max(max(rows["anybn"]) for rows in layouts)
    torch = [max(rows["torch"]) for rows in layouts if "torch" in rows]
    beside = f" (torch: {max(torch):.1e})" if torch else ""
    return f"Largest error of y for means from 0 to 1e7 and standard deviation 1: {ours:.1e}{beside}."


def main() -> int:
    """Print the table, or write it between the marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    text = markdown(json.loads(chosen.results.read_text("utf-8")))
    if chosen.write is None:
        print(text, end="")
        return 0
    page = chosen.write.read_text("utf-8")
    if not MARKED.search(page):
        print(f"{chosen.write} lacks the marks <!-- speed: begin --> and <!-- speed: end -->", file=sys.stderr)
        return 1
    chosen.write.write_text(MARKED.sub(lambda found: found[1] + text + found[2], page), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
