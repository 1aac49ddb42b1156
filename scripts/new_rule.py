"""Write the files of a new rule: `python scripts/new_rule.py BN105 mode eval-in-one-branch`.

It makes the rule, its line in the table and its Markdown cases; the generated page follows with `scripts/generate.py`.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = ("mode", "flag", "stats", "setup")
RULE = '''"""{code} {name}: WHAT IS WRONG, in one line."""

from collections.abc import Iterator

from bnlint.facts.model import FileFacts
from bnlint.facts.walk import calls, dotted
from bnlint.project.link import Project
from bnlint.rules._base import Example, Finding, Meta, rule

META = Meta(
    code="{code}",
    name="{name}",
    severity="warning",
    confidence="medium",
    persona="pedantic",
    since="{version}",
    frameworks=("torch",),
    says="{{call}}() SAYS WHAT IS WRONG",
    why="ONE SENTENCE ON THE HARM.",
    references=("https://docs.pytorch.org/docs/stable/",),
    examples=(
        Example(
            bad="import torch\\n\\nwith torch.no_grad():\\n    {function}()  # <-\\n",
            good="import torch\\n\\nwith torch.no_grad():\\n    pass\\n",
        ),
    ),
    proof="not observable: SAY WHY, or name the file under tests/bnlint/proofs",
)


@rule(META)
def {function}(file: FileFacts, project: Project) -> Iterator[Finding]:
    """SAY WHAT IS LOOKED FOR."""
    for call in calls(file.body):
        if dotted(call.func) == "{function}":
            yield META.finding(file.path, call.at, call="{function}")
'''
CASES = """# {code} {name}

## The mistake

```python
import torch

with torch.no_grad():
    {function}()  # error: [{code}]
```

## A look-alike that is right

```python
import torch

with torch.no_grad():
    pass
```
"""


def main(argv: list[str] | None = None) -> int:
    """Write the files, or say why not."""
    parser = argparse.ArgumentParser(description="Write the files of a new rule.")
    parser.add_argument("code", help="BN and three digits, such as BN105")
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("name", help="words with hyphens, such as eval-in-one-branch")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    digit = str(FAMILIES.index(args.family) + 1)
    if not re.fullmatch(rf"BN{digit}\d\d", args.code):
        sys.exit(f"got the code {args.code}, expected BN{digit} and two digits for the family {args.family}")
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", args.name):
        sys.exit(f"got the name {args.name!r}, expected lower-case words with hyphens")
    table = args.root / "bnlint" / "rules" / "table.py"
    if f"# {args.code}" in table.read_text("utf-8"):
        sys.exit(f"the code {args.code} is taken; see bnlint/rules/table.py")
    write(args.root, args.code, args.family, args.name, table)
    return 0


def write(root: Path, code: str, family: str, name: str, table: Path) -> None:
    """The rule, its cases, and its two lines in the table, in the order of the codes."""
    function = name.replace("-", "_")
    module = f"{code.lower()}_{function}"
    words = {"code": code, "name": name, "function": function, "version": "0.1"}
    rule = root / "bnlint" / "rules" / family / f"{module}.py"
    cases = root / "tests" / "bnlint" / "rules" / f"{code}.md"
    for file, text in ((rule, RULE), (cases, CASES)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(**words), "utf-8")
        print(file.relative_to(root).as_posix())
    table.write_text(with_line(table.read_text("utf-8"), code, family, module, function), "utf-8")
    print(table.relative_to(root).as_posix())


def with_line(text: str, code: str, family: str, module: str, function: str) -> str:
    """The table with one more rule."""
    lines = text.splitlines()
    new = f"from bnlint.rules.{family}.{module} import {function}"
    imports = [number for number, line in enumerate(lines) if line.startswith("from bnlint.rules.")]
    lines.insert(next((n for n in imports[1:] if lines[n] > new), imports[-1] + 1), new)
    rows = {n: found[1] for n, line in enumerate(lines) if (found := re.search(r"# (BN\d+)$", line))}
    at = next((n for n, other in rows.items() if other > code), max(rows) + 1)
    lines.insert(at, f"    {function},  # {code}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
