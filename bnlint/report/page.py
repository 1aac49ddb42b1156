"""The page of a rule, in Markdown: printed by ``bnlint explain`` and written to docs/rules/."""

import string
from collections.abc import Iterator, Sequence

from bnlint.rules._base import Example, Meta

_PERSONA = {
    "regular": "on by default",
    "pedantic": 'off by default, a matter of taste (`persona = "pedantic"`)',
    "auditor": 'off by default, may be a false alarm (`persona = "auditor"`)',
}


def page(meta: Meta, said: str = "") -> str:
    """All that is known of a rule; `said` is its message on its own example, where somebody has run that."""
    return "\n".join(_lines(meta, said)).rstrip() + "\n"


def _lines(meta: Meta, said: str) -> Iterator[str]:
    yield f"# {meta.code} {meta.name}"
    yield ""
    yield f"| {'severity'} | confidence | {'default'} | frameworks | since |"
    yield "|---|---|---|---|---|"
    frameworks = ", ".join(meta.frameworks) or "any"
    yield f"| {meta.severity} | {meta.confidence} | {_PERSONA[meta.persona]} | {frameworks} | {meta.since} |"
    yield ""
    yield "## What it finds"
    yield ""
    yield f"> {said or message(meta.says)}"
    yield ""
    if meta.notes:
        yield meta.notes
        yield ""
    yield "## Why it matters"
    yield ""
    yield meta.why
    for example in meta.examples:
        yield ""
        yield from _example(example)
    yield ""
    yield "## Fix safety"
    yield ""
    yield meta.fix_safety
    yield ""
    yield "## How to silence it"
    yield ""
    yield f'`# bnlint: ignore[{meta.code}] reason` at the end of the line, or `ignore = ["{meta.code}"]` in `[tool.bnlint]`.'
    if meta.references:
        yield ""
        yield "## References"
        yield ""
        for reference in meta.references:
            yield f"- {_link(reference)}"
    if meta.proof:
        yield ""
        yield "## Proof"
        yield ""
        yield f"`tests/bnlint/proofs/{meta.proof}`" if meta.proof.endswith(".py") else meta.proof


def message(says: str) -> str:
    """The message of a rule with its blanks named: ``{net}`` becomes *net*."""
    found, code = "", False
    for text, field, _, _ in string.Formatter().parse(says):
        code ^= text.count("`") % 2 == 1
        found += text + (f"{field}" if code else f"*{field}*" if field else "")
    return found


def _link(reference: str) -> str:
    return f"<{reference}>" if reference.startswith("http") else reference


def _example(example: Example) -> Iterator[str]:
    yield f"## Example: {example.title}" if example.title else "## Example"
    yield ""
    yield from _files(example.files or (("", example.bad),))
    good = example.fixed or ((("", example.good),) if example.good else ())
    if good:
        yield "Use instead:"
        yield ""
        yield from _files(good)


def _files(files: Sequence[tuple[str, str]]) -> Iterator[str]:
    for path, text in files:
        if path:
            yield f"`{path}`:"
            yield ""
        yield "```python"
        yield from text.rstrip("\n").split("\n")
        yield "```"
        yield ""
