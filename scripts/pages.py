"""The text of each generated page, from the data that the program runs on."""

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnlint.rules._base import Example, Meta

FAMILIES = {
    "1": ("mode", "Is the model in the right mode?"),
    "2": ("flag", "Does the training flag arrive?"),
    "3": ("stats", "Are the statistics updated, kept, copied, frozen as meant?"),
    "4": ("setup", "Axis, momentum, eps, bias, batch of one"),
    "9": ("the run itself", "What the linter could not do"),
}


def _code(text: str, name: str = "") -> str:
    title = f'title="{name}" ' if name else ""
    return f"```python no-run {title}".rstrip() + f"\n{text.strip()}\n```\n"


def _example(example: "Example") -> str:
    heads = [f"**{example.title}**\n"] if example.title else []
    if example.files:
        marks = ", ".join(f"`{mark}`" for mark in example.marks)
        files = [_code(text, name) for name, text in example.files]
        fixed = ["Instead:\n", *(_code(text, name) for name, text in example.fixed)] if example.fixed else []
        return "\n".join([*heads, f"Reported at {marks}:\n", *files, *fixed])
    good = ["Instead:\n", _code(example.good)] if example.good else []
    return "\n".join([*heads, _code(example.bad), *good])


def _rule(meta: "Meta") -> str:
    parts = [
        f"# {meta.code} {meta.name}\n",
        (
            f"severity **{meta.severity}** · confidence **{meta.confidence}** · persona **{meta.persona}** · "
            f"{', '.join(meta.frameworks)} · since {meta.since}\n"
        ),
        "## What it says\n",
        f"> {meta.says}\n",
        f"## Why\n\n{meta.why}\n",
        "## Examples\n",
        *(_example(example) for example in meta.examples),
        f"## Fix safety\n\n{meta.fix_safety}\n",
    ]
    parts += [f"## Notes\n\n{meta.notes}\n"] if meta.notes else []
    parts += [f"## Proof\n\n{meta.proof}\n"] if meta.proof else []
    parts += ["## References\n", *(f"- <{link}>" for link in meta.references)] if meta.references else []
    return "\n".join(parts)


def _index(metas: "list[Meta]") -> str:
    lines = [
        "# Rules\n",
        "*Regular* rules are on by default; *pedantic* ones are off unless asked for; *auditor* ones accept false alarms.\n",
    ]
    for digit, family in groupby(metas, key=lambda meta: meta.code[2]):
        name, question = FAMILIES[digit]
        lines += [
            f"## {name}\n\n{question}\n",
            "| code | name | frameworks | severity | persona |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| [{m.code}]({m.code}.md) | {m.name} | {', '.join(m.frameworks)} | {m.severity} | {m.persona} |"
            for m in family
        ]
        lines.append("")
    return "\n".join(lines)


def rules() -> dict[str, str]:
    """One page a rule, and their list."""
    from bnlint.rules.table import RULES

    metas = sorted((rule.meta for rule in RULES), key=lambda meta: meta.code)
    made = {f"docs/rules/{meta.code}.md": _rule(meta) for meta in metas}
    return made | {"docs/rules/index.md": _index(metas)}


def semantics() -> dict[str, str]:
    """Every preset with the fields in which they differ."""
    from anybn.semantics import ALIASES, PRESETS

    variance = {(): "biased", (1.0,): "unbiased"}
    lines = [
        "# What each framework does\n",
        "`semantics=` takes one of these names. `decay` is the weight of the OLD running value, whatever the framework calls it.\n",
        "| name | framework | its argument | decay | eps | running variance | channel axis | notes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in PRESETS.items():
        argument = (
            f"`{row.argument}`, weight of the {row.argument_weighs} value" if row.argument_weighs != "none" else "none"
        )
        decay = "cumulative" if row.decay is None else f"{row.decay:g}"
        notes = " ".join(text for text in (row.note, row.quirk and f"Quirk: {row.quirk}") if text)
        kind = variance.get(row.corrections, f"biased, corrected by {', '.join(f'{c:g}' for c in row.corrections)}")
        lines.append(
            f"| `{name}` | {row.title} | {argument} | {decay} | {row.eps:g} | {kind} | {row.axis} | {notes} |".replace(
                "  ", " "
            )
        )
    aliases = ", ".join(f"`{alias}` is `{name}`" for alias, name in ALIASES.items())
    return {"docs/semantics.md": "\n".join([*lines, f"\nOther names: {aliases}."])}


def which_batch_norm() -> dict[str, str]:
    """The page of porting recipes, with a short table of the presets in which a port can go wrong."""
    from anybn.semantics import PRESETS

    variance = {(): "biased", (1.0,): "unbiased"}
    lines = [
        "| name | framework | whose weight | decay | eps | running variance | zero debias | one value per channel |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in PRESETS.items():
        weighs = f"`{row.argument}`: {row.argument_weighs}" if row.argument_weighs != "none" else "none"
        decay = "cumulative" if row.decay is None else f"{row.decay:g}"
        kind = variance.get(row.corrections) or " · ".join(f"n/(n-{c:g})" for c in row.corrections)
        lines.append(
            f"| `{name}` | {row.title} | {weighs} | {decay} | {row.eps:g} | {kind} | {row.debias} | {row.single} |"
        )
    template = Path(__file__).parent / "templates/which-batch-norm.md"
    return {"docs/which-batch-norm.md": template.read_text("utf-8").replace("{{ table }}", "\n".join(lines))}


def kernels() -> dict[str, str]:
    """The kernel table, in the order in which it is asked."""
    from anybn.kernels.table import OWN

    lines = [
        "# Kernels\n",
        "Asked in this order; the first that does not refuse computes. `anybn.why(...)` prints each row's reason for one call.\n",
        "| kernel | computes | largest difference to the portable core | since |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{row.name}` | {', '.join(row.ops)} | {row.tolerance:g} | {row.since} |" for row in OWN]
    return {"docs/kernels.md": "\n".join(lines)}


def _help(*arguments: str) -> str:
    env = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-m", "bnlint", *arguments], capture_output=True, text=True, check=True, env=env
    )
    return done.stdout.strip()


def command_line() -> dict[str, str]:
    """What `bnlint --help` prints."""
    return {"docs/command-line.md": f"# Command line\n\n```text\n{_help('--help')}\n```"}
