"""A whole run: sources → facts → project → findings → what is shown."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bnlint.config import Config
from bnlint.facts import pool
from bnlint.facts.collect import Text, collect, read_all
from bnlint.facts.model import FileFacts
from bnlint.finding import Finding, Place
from bnlint.project.link import Project, link
from bnlint.rules._base import Rule
from bnlint.source import Source, Span, discover
from bnlint.triage import choose, order

_AROUND = 2  # lines shown before and after the line of a finding


class Report(NamedTuple):
    """What a run has to say.

    `excerpts` holds, for each path, the lines around the places of the findings, by number.
    """

    findings: tuple[Finding, ...]
    hidden: Counter[str]
    excerpts: dict[str, dict[int, str]]
    files: int
    rules: tuple[Rule, ...]


def lint(paths: Sequence[Path], config: Config, rules: Sequence[Rule]) -> Report:
    """Lint files and folders."""
    return lint_sources(discover(paths, config.selection), config, rules)


def lint_sources(sources: Sequence[Source], config: Config, rules: Sequence[Rule]) -> Report:
    """Lint sources that are at hand."""
    texts = read_all(sources, size_limit=config.size_limit)
    facts = collect(texts, jobs=config.jobs, time_limit=config.time_limit)
    project = link(facts)
    reported = [file for file, text in zip(facts, texts, strict=True) if text.source.reported]
    triage = choose(check(reported, project, rules), config)
    by_path = {text.source.path: text for text in texts}
    findings = _located(triage.shown, by_path)
    return Report(
        tuple(sorted(findings, key=order)), triage.hidden, _excerpts(findings, by_path), len(reported), tuple(rules)
    )


def check(files: Iterable[FileFacts], project: Project, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Everything the rules have to say of `files`, each thing once."""
    seen: set[Finding] = set()
    for file in files:
        for rule in rules:
            for finding in rule.check(file, project):
                if finding not in seen:
                    seen.add(finding)
                    yield finding


def _places(finding: Finding) -> Iterator[Place]:
    yield finding.place
    yield from finding.related


def _located(findings: Sequence[Finding], texts: dict[str, Text]) -> list[Finding]:
    wanted: dict[str, set[int]] = {}
    for finding in findings:
        for place in _places(finding):
            if place.span is None:
                wanted.setdefault(place.path, set()).add(place.at)
    spans = {path: pool.in_deep_thread(_locate, texts[path].data, sorted(numbers)) for path, numbers in wanted.items()}

    def placed(place: Place) -> Place:
        return place if place.span is not None else place._replace(span=spans[place.path][place.at])

    return [f._replace(place=placed(f.place), related=tuple(map(placed, f.related))) for f in findings]


def _locate(data: bytes, numbers: Sequence[int]) -> dict[int, Span]:
    from bnlint.facts.locate import locate

    return locate(data, numbers)


def _excerpts(findings: Iterable[Finding], texts: dict[str, Text]) -> dict[str, dict[int, str]]:
    wanted: dict[str, set[int]] = {}
    for finding in findings:
        for place in _places(finding):
            if place.span is not None:
                last = min(place.span.end_line, place.span.line + 3 * _AROUND)
                wanted.setdefault(place.path, set()).update(range(place.span.line - _AROUND, last + _AROUND + 1))
    found: dict[str, dict[int, str]] = {}
    for path, numbers in sorted(wanted.items()):
        lines = texts[path].lines()
        found[path] = {number: lines[number - 1] for number in sorted(numbers) if 0 < number <= len(lines)}
    return found
