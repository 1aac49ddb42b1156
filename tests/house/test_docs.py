"""Every Python block of README.md and docs/ runs, page by page, each page in one namespace."""

import doctest
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# docs/rules is left out: its blocks are mistakes, and tests/bnlint holds what the linter says of each.
PAGES = sorted([ROOT / "README.md", *(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "rules")])
BLOCK = re.compile(
    r"^(?P<indent> *)```python(?P<words>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
IMPORT = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.MULTILINE)


def blocks(text: str) -> list[tuple[int, str]]:
    """Return (line, code) of the Python blocks that are meant to run: all but those marked ``no-run``."""
    found = []
    for match in BLOCK.finditer(text):
        if "no-run" in match["words"]:
            continue
        lines = [line.removeprefix(match["indent"]) for line in match["code"].splitlines()]
        found.append((text.count("\n", 0, match.start()) + 2, "\n".join(lines)))
    return found


def missing(code: str) -> list[str]:
    """Name the top-level packages that the code imports and this environment lacks."""
    return sorted({name for name in IMPORT.findall(code) if importlib.util.find_spec(name) is None})


# A page of recipes runs the frameworks, whose own deprecations are not ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
RUNNABLE = [page for page in PAGES if blocks(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who types a page in gets no error; blocks that need a missing library are left out, and named at the end."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__docs__"}
    lacking: dict[int, list[str]] = {}
    for line, code in blocks(page.read_text(encoding="utf-8")):
        if absent := missing(code):
            lacking[line] = absent
            continue
        try:
            exec(compile("\n" * (line - 1) + code, str(page), "exec"), namespace)
        except NameError:  # builds on a block that was left out
            if not lacking:
                raise
            lacking[line] = next(iter(lacking.values()))
    if lacking:
        names = sorted({name for absent in lacking.values() for name in absent})
        pytest.skip(f"needs {', '.join(names)} for the blocks at lines {', '.join(map(str, lacking))}")


def module_of(path: Path) -> str:
    """Name the module that a file is."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


WITH_EXAMPLES = sorted(
    module_of(path)
    for package in ("anybn", "bnlint")
    for path in (ROOT / package).rglob("*.py")
    if re.search(r"^ *>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_docstrings_run(name: str) -> None:
    """Every ``>>>`` in a docstring prints what it says."""
    pytest.importorskip("numpy", reason="the examples use NumPy")
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_a_broken_block_is_found() -> None:
    """The collector sees indented and several blocks, leaves out ``no-run`` and other languages, and knows what is not installed."""
    text = (
        "```python\na = 1\n```\n\n- item\n\n  ```python\n  b = a\n  ```\n\n```python no-run\nc\n```\n\n```sh\nls\n```\n"
    )
    assert blocks(text) == [(2, "a = 1"), (8, "b = a")]
    assert missing("import json\nfrom no_such_library import x\n") == ["no_such_library"]
