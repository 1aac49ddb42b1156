"""Generated parts of files that are otherwise written by hand: the text between two marks."""

import re
from itertools import groupby

from pages import FAMILIES, ROOT


def between(path: str, marks: str, text: str) -> dict[str, str]:
    """The file with `text` between ``<mark>: begin`` and ``<mark>: end``, whatever makes these lines comments.

    Raises
    ------
    ValueError
        If the marks are not there: a part that is silently not written would go stale.
    """
    old = (ROOT / path).read_text("utf-8")
    found = re.search(
        rf"^[^\n]*\b{marks}: begin[^\n]*\n(.*?)^[^\n]*\b{marks}: end[^\n]*$", old, re.MULTILINE | re.DOTALL
    )
    if found is None:
        raise ValueError(
            f'{path}: got no lines with "{marks}: begin" and "{marks}: end"; write them where the part belongs'
        )
    return {path: old[: found.start(1)] + text + old[found.end(1) :]}


def readme() -> dict[str, str]:
    """README.md with the headline ratios of the benchmark's results."""
    import json

    from benchmarks.headline import RESULTS, markdown

    return between("README.md", "speed", markdown(json.loads(RESULTS.read_text("utf-8"))))


def navigation() -> dict[str, str]:
    """mkdocs.yml with every rule in the navigation, by family."""
    from bnlint.rules.table import RULES

    metas = sorted((rule.meta for rule in RULES), key=lambda meta: meta.code)
    lines = []
    for digit, family in groupby(metas, key=lambda meta: meta.code[2]):
        lines.append(f"      - {FAMILIES[digit][0]}:")
        lines += [f"          - {meta.code} {meta.name}: rules/{meta.code}.md" for meta in family]
    return between("mkdocs.yml", "rules", "".join(f"{line}\n" for line in lines))
