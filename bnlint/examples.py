"""Rules proved by their examples, and by Markdown cases: used by the tests and by ``bnlint test-rule``."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from bnlint.config import Config
from bnlint.facts.collect import read_all
from bnlint.repair import repair
from bnlint.report.model import Report
from bnlint.rules._base import Example, Rule
from bnlint.run import analyse, lint_sources
from bnlint.source import Source

MARK = "# <-"
EVERYTHING = Config(persona="auditor", min_confidence="low", jobs=-1)
Where = tuple[str, int, str]  # path, line, code

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([^`\n]+\.(?:pyi?|ipynb))`:[ \t]*$")
_TITLE = re.compile(r"^(#+)[ \t]+(.*?)[ \t]*$", re.MULTILINE)
_EXPECTED = re.compile(r"#[ \t]*error:[ \t]*\[([A-Z0-9, ]+)\]")


def report_on(files: Mapping[str, str], rules: Sequence[Rule], config: Config = EVERYTHING) -> Report:
    """Lint files given as texts, in this process."""
    sources = [Source(path, data=text.encode()) for path, text in files.items()]
    return lint_sources(sources, config, rules)


def found_in(files: Mapping[str, str], rules: Sequence[Rule], config: Config = EVERYTHING) -> list[Where]:
    """Path, line and code of each finding, in order."""
    findings = report_on(files, rules, config).findings
    return [(f.place.path, f.place.span.line if f.place.span else 0, f.code) for f in findings]


# --- examples of a rule ----------------------------------------------------------------------------------------------


def bad_files(example: Example) -> dict[str, str]:
    """The files of the mistake."""
    return dict(example.files) or {"example.py": example.bad}


def good_files(example: Example) -> dict[str, str]:
    """The files of the correction; empty if the example shows none."""
    if example.files:
        return {**dict(example.files), **dict(example.fixed)} if example.fixed else {}
    return {"example.py": example.good} if example.good else {}


def marked(example: Example) -> list[tuple[str, int]]:
    """Where the rule must fire: path and line."""
    if example.marks:
        pairs = (mark.rsplit(":", 1) for mark in example.marks)
        return sorted((path, int(line)) for path, line in pairs)
    return [
        (path, number)
        for path, text in sorted(bad_files(example).items())
        for number, line in enumerate(text.splitlines(), 1)
        if line.rstrip().endswith(MARK)
    ]


def said(rule: Rule, rules: Sequence[Rule]) -> str:
    """The message of a rule on its first example, for its page."""
    for example in rule.meta.examples:
        for finding in report_on(bad_files(example), rules).findings:
            if finding.code == rule.meta.code:
                return finding.says
    return ""


def check_example(rule: Rule, example: Example, rules: Sequence[Rule]) -> list[str]:
    """What is wrong with an example, in sentences: the rule must fire at the marks only, and not on the correction.

    Other rules may report the mistake as well, but nothing may be reported of the correction.
    """
    code = rule.meta.code
    label = f"{code} {example.title}".strip()
    found = found_in(bad_files(example), rules)
    fired = [(path, line) for path, line, other in found if other == code]
    wrong: list[str] = []
    if not marked(example):
        wrong.append(f"{label}: no line of the bad example ends with {MARK!r} and no mark is given")
    if sorted(fired) != marked(example):
        wrong.append(f"{label}: bad example: fired at {sorted(fired)}, expected {marked(example)}")
    left = list(found_in(good_files(example), rules))
    if left:
        wrong.append(f"{label}: good example: reported {left}, expected nothing")
    return [*wrong, *_check_fix(rule, example, rules, label)]


def _check_fix(rule: Rule, example: Example, rules: Sequence[Rule], label: str) -> list[str]:
    """Where the example says so, all fixes together turn the mistake into the correction; repairing again changes nothing."""
    if not example.fixable:
        return []
    once, notes = repaired(bad_files(example), rules, rule.meta.code)
    twice, _ = repaired(once, rules, rule.meta.code)
    expected = good_files(example)
    wrong = [f"{label}: {note}" for note in notes]
    wrong += [
        f"{label}: the fix gives\n{text}\nexpected\n{expected[p]}"
        for p, text in once.items()
        if _bare(text) != expected[p]
    ]
    if once != twice:
        wrong.append(f"{label}: fixing twice is not the same as fixing once")
    return wrong


def _bare(text: str) -> str:
    """The text without marks."""
    return re.sub(rf"[ \t]*{re.escape(MARK)}[ \t]*$", "", text, flags=re.MULTILINE)


def repaired(
    files: Mapping[str, str], rules: Sequence[Rule], code: str = "BN"
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Texts after all fixes, unsafe ones too, of the rules whose code begins with `code`; and the notes of the repair."""
    config = replace(EVERYTHING, select=(code,))
    sources = [Source(path, data=text.encode()) for path, text in files.items()]
    analysis = analyse(read_all(sources, size_limit=config.size_limit), config, rules)
    done = repair(analysis, config, rules, "unsafe")
    return {text.source.path: text.data.decode() for text in done.analysis.texts}, done.notes


# --- Markdown cases --------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """One section of a Markdown file: its files and the findings it asks for."""

    title: str
    files: dict[str, str]
    expected: tuple[Where, ...]


def read_cases(markdown: str) -> list[Case]:
    """Cases of a Markdown text: every heading with Python blocks below it is one.

    A block belongs to the file named in the line before it (```` `b.py`: ````), or to ``case.py``.
    ``# error: [BN101]`` at the end of a line says what must be reported there; nothing else may be.
    """
    heads = [(match.start(), match[2]) for match in _TITLE.finditer(_without_blocks(markdown))]
    cases: list[Case] = []
    for (start, title), end in zip(heads, [*(start for start, _ in heads[1:]), len(markdown)], strict=True):
        files: dict[str, str] = {}
        section = markdown[start:end]
        for block in _FENCE.finditer(section):
            if block[1] not in {"python", "py", "json"}:
                continue
            named = _FILE.search(section[: block.start()].rstrip("\n").rsplit("\n", 1)[-1])
            files[named[1] if named else "case.py"] = block[2]
        if files:
            cases.append(Case(title, files, tuple(_expectations(files))))
    return cases


def _without_blocks(markdown: str) -> str:
    return _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), markdown)


def _expectations(files: Mapping[str, str]) -> Iterable[Where]:
    found: list[Where] = []
    for path, text in files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if match := _EXPECTED.search(line):
                found.extend((path, number, code.strip()) for code in match[1].split(","))
    return sorted(found)


def check_case(case: Case, rules: Sequence[Rule]) -> list[str]:
    """What is wrong with a case, in sentences."""
    found = sorted(found_in(case.files, rules))
    missing = sorted(set(case.expected) - set(found))
    extra = [where for where in found if where not in case.expected]
    doubled = sorted(
        {where for where in found if found.count(where) != case.expected.count(where)} & set(case.expected)
    )
    wrong = [f"{case.title}: {path}:{line}: {code} was expected" for path, line, code in missing]
    wrong += [f"{case.title}: {path}:{line}: {code} was reported" for path, line, code in extra]
    wrong += [
        f"{case.title}: {path}:{line}: {code} was not reported as often as expected" for path, line, code in doubled
    ]
    return wrong
