"""A whole run: sources → facts → project → findings → what is shown."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bnlint.cache import Cache, key
from bnlint.config import Config
from bnlint.facts.collect import Text, collect, needs, outlines, read_all
from bnlint.facts.imports import Group, Needed
from bnlint.facts.model import FileFacts
from bnlint.facts.parts import parts
from bnlint.finding import Finding, Place
from bnlint.memory import Memory, recall, remember
from bnlint.notebook import lines_in_file
from bnlint.report.model import Report
from bnlint.rules._base import Rule
from bnlint.rules.own import OwnRules
from bnlint.shown import Shown, located, shown
from bnlint.source import Source, discover
from bnlint.unchanged import changed, moved, same_facts


class Analysis(NamedTuple):
    """Texts and facts of all files, and what the rules found in the reported ones.

    Facts are empty for what was known from an earlier run.
    """

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
    texts: Sequence[Text],
    config: Config,
    rules: Sequence[Rule],
    known: Mapping[str, FileFacts] | None = None,
    cache: Cache | None = None,
) -> Analysis:
    """Take facts of `texts`, link them, and ask the rules.

    Facts that are `known` (by path) of unchanged files are not taken again. With a `cache`, what was found before for
    the same files, or for a group of files that import each other, is not looked for again.
    """
    if cache is None:
        wanted = needs(texts).numbers
        facts = _collect(texts, config, wanted, known)
        return Analysis(tuple(texts), facts, tuple(_judge(texts, facts, range(len(texts)), config, rules)))
    base = (repr(config.target), repr(config.names), repr(config.size_limit), *_codes(rules))
    whole = key((*base, *_names(texts)))
    found = cache.get(whole)
    if found is None:
        found = _by_group(texts, config, rules, cache, base)
        if not _passing(found):
            cache.put(whole, found)
            cache.prune()
    return Analysis(tuple(texts), (), tuple(found))


def _collect(
    texts: Sequence[Text], config: Config, wanted: Iterable[int], known: Mapping[str, FileFacts] | None = None
) -> tuple[FileFacts, ...]:
    return tuple(collect(texts, jobs=config.jobs, time_limit=config.time_limit, wanted=wanted, known=known))


def _judge(
    texts: Sequence[Text], facts: Sequence[FileFacts], numbers: Iterable[int], config: Config, rules: Sequence[Rule]
) -> list[Finding]:
    from bnlint.judge import judge
    from bnlint.project.link import link

    files = [(facts[n], texts[n]) for n in numbers if texts[n].source.reported]
    project = link(facts, config.known, dict(config.target))
    found = judge(files, project, rules, jobs=config.jobs, limit=config.time_limit)
    return located(found, {text.source.path: text for text in texts})


def _codes(rules: Sequence[Rule]) -> tuple[str, ...]:
    # The version stands for our own rules; asking for their codes would import them.
    return ("own",) if isinstance(rules, OwnRules) else tuple(rule.meta.code for rule in rules)


def _names(texts: Iterable[Text]) -> Iterator[str]:
    for source, digest, problem in ((text.source, text.digest, text.problem) for text in texts):
        yield f"{source.path}\0{digest}\0{source.reported}\0{problem.message if problem else ''}"


def _by_group(
    texts: Sequence[Text], config: Config, rules: Sequence[Rule], cache: Cache, base: Sequence[str]
) -> list[Finding]:
    """Findings of each group of files that import each other; only groups that are new are looked at."""
    place = key((*base, "memory", _common(texts)))
    memory = recall(cache, place)
    seen = outlines(texts, memory.outlines())
    needed = needs(texts, seen)
    paths, sizes = [text.source.path for text in texts], {number: len(texts[number].data) for number in needed.numbers}
    small = [part for group in needed.groups() for part in parts(group, paths, sizes)]
    groups = [group for group in small if any(texts[number].source.reported for number in group)]
    rest = tuple(sorted(set(range(len(texts))) - set(needed.numbers)))
    keys = {group: key((*base, "group", *_names(texts[number] for number in group))) for group in groups}
    # Of the others nothing is known but what is in the way of reading them.
    if rest:
        keys[rest] = key((*base, "rest", *_names(texts[number]._replace(digest="") for number in rest)))
    old = {group: cache.get(at) for group, at in keys.items()}
    stale = [group for group in keys if old[group] is None]
    old |= {group: _as_before(texts, group, memory, cache, config, base) for group in stale}
    new = [group for group in stale if old[group] is None]
    fresh = _look(texts, new, needed, config, rules) if new else []
    by_path: dict[str, list[Finding]] = {}
    for finding in fresh:
        by_path.setdefault(finding.place.path, []).append(finding)
    for group in stale:
        mine = old[group]
        if mine is None:
            mine = [finding for number in group for finding in by_path.get(texts[number].source.path, ())]
        if not _passing(mine):
            cache.put(keys[group], mine)
    remember(cache, place, texts, seen, memory)
    return [*(finding for found in old.values() for finding in found or ()), *fresh]


def _look(
    texts: Sequence[Text], groups: Sequence[Group], needed: Needed, config: Config, rules: Sequence[Rule]
) -> list[Finding]:
    from bnlint.together import look

    def cut_up(some: Sequence[Group]) -> list[Finding]:
        numbers = sorted(number for group in some for number in group)
        facts = _collect(texts, config, sorted(set(numbers) & set(needed.numbers)))
        return _judge(texts, facts, numbers, config, rules)

    return look(texts, groups, frozenset(needed.numbers), config, rules, cut_up)


def _as_before(
    texts: Sequence[Text], group: Group, memory: Memory, cache: Cache, config: Config, base: Sequence[str]
) -> list[Finding] | None:
    """What was found in a group whose texts were edited, if the edits changed no fact."""
    some = [texts[number] for number in group]
    edited = changed(some, memory)
    if not edited:
        return None
    before = [text._replace(digest=memory.files[text.source.path].digest) for text in some]
    found = cache.get(key((*base, "group", *_names(before))))
    if found is None or not all(same_facts(text, memory, config.known) for text in edited):
        return None
    return moved(found, edited, {text.source.path: text for text in some})


def _common(texts: Sequence[Text]) -> str:
    try:
        return os.path.commonpath([text.source.path for text in texts])
    except ValueError:  # none, or some relative
        return ""


def _passing(found: Iterable[Finding]) -> bool:
    """Whether some of it may be different next time: a slow machine, a process that was killed."""
    return any(finding.code == "BN901" and "the analysis" in finding.says for finding in found)


def report(analysis: Analysis, config: Config, rules: Sequence[Rule], notes: Sequence[str] = ()) -> Report:
    """What is shown of an analysis, ready to be formatted."""
    some = analysis.shown(config)
    files = sum(text.source.reported for text in analysis.texts)
    said = (*notes, *some.notes)
    return Report(some.findings, some.hidden, some.excerpts, files, rules, said, cells=_cells(some, analysis))


def _cells(some: Shown, analysis: Analysis) -> dict[str, list[int]]:
    places = [place for finding in some.findings for place in (finding.place, *finding.related) if place.cell]
    texts = analysis.by_path() if places else {}
    return {
        Place(path, 0, cell=cell).text: lines
        for path in dict.fromkeys(place.path for place in places)
        for cell, lines in lines_in_file(texts[path].notebook or b"").items()
    }
