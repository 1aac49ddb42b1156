"""A whole run: sources → facts → project → findings → what is shown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bnlint.config import Config
from bnlint.facts.collect import Text, collect, read_all
from bnlint.facts.model import FileFacts
from bnlint.finding import Finding
from bnlint.project.link import link
from bnlint.report.model import Report
from bnlint.rules._base import Rule
from bnlint.shown import Shown, shown
from bnlint.source import Source, discover


class Analysis(NamedTuple):
    """Texts and facts of all files, and what the rules found in the reported ones (not located yet)."""

    texts: tuple[Text, ...]
    facts: tuple[FileFacts, ...]
    found: tuple[Finding, ...]

    def by_path(self) -> dict[str, Text]:
        """Texts by the path that is reported."""
        return {text.source.path: text for text in self.texts}

    def facts_of(self, path: str) -> FileFacts:
        """The facts of the file reported as `path`."""
        return next(facts for facts in self.facts if facts.path == path)

    def shown(self, config: Config) -> Shown:
        """What of it is shown."""
        return shown(self.found, self.by_path(), config)


def lint(paths: Sequence[Path], config: Config, rules: Sequence[Rule]) -> Report:
    """Lint files and folders."""
    return lint_sources(discover(paths, config.selection, around=config.whole_project), config, rules)


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
    """What is shown of an analysis, ready to be formatted."""
    some = analysis.shown(config)
    files = sum(text.source.reported for text in analysis.texts)
    return Report(some.findings, some.hidden, some.excerpts, files, tuple(rules), (*notes, *some.notes))
