"""A whole run: sources → facts → project → findings → what is shown, or repaired."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bnlint.config import Config
from bnlint.facts.collect import Text, collect, read_all
from bnlint.facts.deep import in_deep_thread
from bnlint.facts.model import FileFacts
from bnlint.finding import Finding, Place
from bnlint.project.link import link
from bnlint.report.model import Report
from bnlint.rules._base import Rule
from bnlint.source import Source, Span, discover
from bnlint.triage import choose, order

_AROUND = 2  # lines shown before and after the line of a finding


class Analysis(NamedTuple):
    """Texts and facts of all files, and what the rules found in the reported ones (not located yet)."""

    texts: tuple[Text, ...]
    facts: tuple[FileFacts, ...]
    found: tuple[Finding, ...]

    def text_of(self, path: str) -> Text:
        """The text of the file reported as `path`."""
        return next(text for text in self.texts if text.source.path == path)

    def facts_of(self, path: str) -> FileFacts:
        """The facts of the file reported as `path`."""
        return next(facts for facts in self.facts if facts.path == path)


def lint(paths: Sequence[Path], config: Config, rules: Sequence[Rule]) -> Report:
    """Lint files and folders."""
    return lint_sources(discover(paths, config.selection), config, rules)


def lint_sources(sources: Sequence[Source], config: Config, rules: Sequence[Rule]) -> Report:
    """Lint sources that are at hand."""
    texts = read_all(sources, size_limit=config.size_limit)
    return report(analyse(texts, config, rules), config, rules)


def analyse(
    texts: Sequence[Text], config: Config, rules: Sequence[Rule], known: Mapping[str, FileFacts] | None = None
) -> Analysis:
    """Take facts of `texts`, link them, and ask the rules. `known` facts (by path) of unchanged files are not taken again."""
    facts = collect(texts, jobs=config.jobs, time_limit=config.time_limit, known=known or {})
    project = link(facts)
    found: dict[Finding, None] = {}
    for file, text in zip(facts, texts, strict=True):
        if text.source.reported:
            for rule in rules:
                found.update(dict.fromkeys(rule.check(file, project)))
    return Analysis(tuple(texts), tuple(facts), tuple(found))


def report(analysis: Analysis, config: Config, rules: Sequence[Rule], notes: Sequence[str] = ()) -> Report:
    """What is shown of an analysis."""
    triage = choose(analysis.found, config)
    by_path = {text.source.path: text for text in analysis.texts}
    findings = sorted(located(triage.shown, by_path), key=order)
    files = sum(text.source.reported for text in analysis.texts)
    return Report(tuple(findings), triage.hidden, _excerpts(findings, by_path), files, tuple(rules), tuple(notes))


def _places(finding: Finding) -> Iterator[Place]:
    yield finding.place
    yield from finding.related


def located(findings: Sequence[Finding], texts: Mapping[str, Text]) -> list[Finding]:
    """The same findings with lines and columns."""
    wanted: dict[str, set[int]] = {}
    for finding in findings:
        for place in _places(finding):
            if place.span is None:
                wanted.setdefault(place.path, set()).add(place.at)
    spans = {path: in_deep_thread(_locate, texts[path].data, sorted(numbers)) for path, numbers in wanted.items()}

    def placed(place: Place) -> Place:
        return place if place.span is not None else place._replace(span=spans[place.path][place.at])

    return [f._replace(place=placed(f.place), related=tuple(map(placed, f.related))) for f in findings]


def _locate(data: bytes, numbers: Sequence[int]) -> dict[int, Span]:
    from bnlint.facts.locate import locate

    return locate(data, numbers)


def _excerpts(findings: Iterable[Finding], texts: Mapping[str, Text]) -> dict[str, dict[int, str]]:
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
