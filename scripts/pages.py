"""The text of each generated page, from the data that the program runs on."""

import json
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnlint.rules._base import Meta

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for the benchmarks, which are not installed

FAMILIES = {
    "1": ("mode", "Is the model in the right mode?"),
    "2": ("flag", "Does the training flag arrive?"),
    "3": ("stats", "Are the statistics updated, kept, copied, frozen as meant?"),
    "4": ("setup", "Axis, momentum, eps, bias, batch of one"),
    "9": ("the run itself", "What the linter could not do"),
}


def _index(metas: "list[Meta]", messages: dict[str, str]) -> str:
    lines = [
        "# Rules\n",
        "*Regular* rules are on by default; *pedantic* ones are off unless asked for; *auditor* ones accept false alarms.\n",
    ]
    for digit, family in groupby(metas, key=lambda meta: meta.code[2]):
        name, question = FAMILIES[digit]
        lines += [
            f"## {name}\n\n{question}\n",
            "| code | name | what it says | frameworks | severity | persona |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| [{m.code}]({m.code}.md) | {m.name} | {messages[m.code].replace('|', '&#124;')} | {', '.join(m.frameworks)} | {m.severity} | {m.persona} |"
            for m in family
        ]
        lines.append("")
    return "\n".join(lines)


def rules() -> dict[str, str]:
    """One page a rule, and their list."""
    from bnlint.examples import said
    from bnlint.report.page import page
    from bnlint.rules.table import RULES

    metas = sorted((rule.meta for rule in RULES), key=lambda meta: meta.code)
    messages = {rule.meta.code: said(rule, [rule]) for rule in RULES}
    made = {f"docs/rules/{meta.code}.md": page(meta, messages[meta.code]) for meta in metas}
    return made | {"docs/rules/index.md": _index(metas, messages)}


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


def scaling() -> dict[str, str]:
    """The page of costs over processes, with the measured table if there is one."""
    from benchmarks.processes import table

    results, text = ROOT / "benchmarks/results/processes.json", "No table is kept here yet."
    if results.exists():
        found = json.loads(results.read_text("utf-8"))
        machine = found["machine"]
        text = f"{machine['processor']}, {machine['cores']} cores, load {machine['load'][0]} before the run, torch {machine['versions']['torch']}.\n\n"
        text += table(found["rows"])
    template = Path(__file__).parent / "templates/scaling.md"
    return {"docs/scaling.md": template.read_text("utf-8").replace("{{ table }}", text)}


def speed() -> dict[str, str]:
    """The page of what was measured on a CPU: speed beside error and memory."""
    from benchmarks.report import filled

    template = Path(__file__).parent / "templates/speed.md"
    results = json.loads((ROOT / "benchmarks/results/cpu.json").read_text("utf-8"))
    return {"docs/speed.md": filled(template.read_text("utf-8"), results)}


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


def configuration() -> dict[str, str]:
    """The keys of `[tool.bnlint]`."""
    from bnlint.options import OPTIONS

    lines = [
        "# Configuration\n",
        "In `[tool.bnlint]` of `pyproject.toml`, or in `bnlint.toml` without the table's name. The command line overrides it; an unknown key is an error.\n",
    ]
    for option in OPTIONS:
        default = json.dumps(option.default, default=list)
        choices = (
            f" One of {', '.join(f'`{choice}`' for choice in option.choices)}."
            if option.choices and option.kind == "choice"
            else ""
        )
        lines += [f"## {option.key}\n", f"{option.says}{choices}\n", f"- kind: {option.kind}\n- default: `{default}`\n"]
        lines += [f"```toml\n[tool.bnlint]\n{option.key} = {option.example}\n```\n"]
    return {"docs/configuration.md": "\n".join(lines)}


def command_line() -> dict[str, str]:
    """What `bnlint --help` prints."""
    return {"docs/command-line.md": f"# Command line\n\n```text\n{_help('--help')}\n```"}
