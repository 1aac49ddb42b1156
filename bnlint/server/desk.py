"""Open documents and their projects, kept warm: a change costs the analysis, and no look at the disk."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bnlint.config import Config, find, load
from bnlint.extensions import with_extensions
from bnlint.facts.collect import Text, needs, read_all
from bnlint.facts.extract import extract
from bnlint.facts.model import FileFacts
from bnlint.finding import Finding
from bnlint.rules._base import Rule
from bnlint.rules.table import RULES
from bnlint.run import analyse
from bnlint.source import Source, discover, project_root, shown


class Document(NamedTuple):
    """A text in an editor, saved or not."""

    uri: str
    path: str
    version: int | None
    text: str


class Seen(NamedTuple):
    """What was found in a document, with the text it was found in."""

    document: Document
    findings: tuple[Finding, ...]
    text: Text
    rules: Sequence[Rule]


class _Choices(NamedTuple):
    """The configuration of a project with its rules, and when its file was changed."""

    stamp: float
    config: Config
    rules: Sequence[Rule]


class _Warm(NamedTuple):
    """Texts of the files around the open ones that matter for them, and the facts of all."""

    texts: tuple[Text, ...] = ()
    facts: tuple[FileFacts, ...] = ()


_Home = tuple[str, Path | None]


class Desk:
    """Looks at open documents; what it learns of their projects stays for the next look."""

    def __init__(self) -> None:
        self._warm: dict[_Home, _Warm] = {}
        self._good: dict[str, bytes] = {}
        self._choices: dict[Path | None, _Choices] = {}

    def look(self, documents: Sequence[Document], uri: str, *, anew: bool) -> list[Seen]:
        """What is found in every open document of the project of `uri`; `anew` also reads the files around them.

        A document that cannot be parsed, as happens with every other key, has a note; for the others it is what it was
        when it last could be.
        """
        mine = next((document for document in documents if document.uri == uri), None)
        if mine is None:
            return []
        home = _home(mine)
        together = [document for document in documents if _home(document) == home]
        choices = self._chosen(home[1], Path(mine.path).parent)
        opened = {document.uri: _text(document, choices.config) for document in together}
        broken = {document.uri for document in together if not self._parses(opened[document.uri])}
        sound = [self._last_good(text, broken=uri in broken) for uri, text in opened.items()]
        found = self._found(home, [text for text in sound if text is not None], choices, anew=anew)
        found += [one for uri in broken for one in _judge([opened[uri]], choices)]
        by_path: dict[str, list[Finding]] = {}
        for finding in found:
            by_path.setdefault(finding.place.path, []).append(finding)
        return [
            Seen(document, tuple(by_path.get(text.source.path, ())), text, choices.rules)
            for document in together
            for text in [opened[document.uri]]
        ]

    def _found(self, home: _Home, opened: Sequence[Text], choices: _Choices, *, anew: bool) -> list[Finding]:
        if anew or home not in self._warm:
            facts = self._warm.get(home, _Warm()).facts
            self._warm[home] = _Warm(tuple(_around(home, opened, choices.config)), facts)
        warm = self._warm[home]
        taken = {_real(text.source) for text in opened}
        texts = [*(text for text in warm.texts if _real(text.source) not in taken), *opened]
        texts.sort(key=lambda text: text.source.path)
        known = {facts.path: facts for facts in warm.facts}
        analysis = analyse(texts, choices.config, choices.rules, known)
        self._warm[home] = warm._replace(facts=analysis.facts)
        return list(analysis.shown(choices.config).findings)

    def _parses(self, text: Text) -> bool:
        good = text.problem is None and extract(text.source.path, text.digest, text.data).problem is None
        if good:
            self._good[text.source.path] = text.data
        return good

    def _last_good(self, text: Text, *, broken: bool) -> Text | None:
        if not broken:
            return text
        data = self._good.get(text.source.path)
        if data is None:
            return None
        source = text.source._replace(data=data, reported=False)
        return read_all([source], size_limit=len(data))[0]

    def _chosen(self, file: Path | None, folder: Path) -> _Choices:
        stamp = file.stat().st_mtime if file is not None else 0.0
        known = self._choices.get(file)
        if known is None or known.stamp != stamp or file is None:
            config = load(file) if file is not None else Config(folder=folder)
            # In this process: threads of the server could hold locks in a fork.
            config = replace(config, jobs=-1, cache=False)
            known = self._choices[file] = _Choices(stamp, config, with_extensions(RULES, config.rules, config.folder))
        return known


def _home(document: Document) -> _Home:
    """What a document belongs to: the root of its project, or itself; and its configuration."""
    file = Path(document.path)
    root = project_root(file)
    return str(root) if root is not None else document.path, find(file.parent)


def _text(document: Document, config: Config) -> Text:
    source = Source(shown(Path(document.path)), Path(document.path), document.text.encode("utf-8", "replace"))
    return read_all([source], size_limit=config.size_limit)[0]


def _real(source: Source) -> str:
    return os.path.realpath(source.file or source.path)


def _judge(texts: Sequence[Text], choices: _Choices) -> list[Finding]:
    return list(analyse(texts, choices.config, choices.rules).shown(choices.config).findings)


def _around(home: _Home, opened: Sequence[Text], config: Config) -> Iterable[Text]:
    """Files that import an open one, or are imported by it, directly or not."""
    if not config.whole_project or not opened:
        return []
    taken = {_real(text.source) for text in opened}
    named = [text.source.file for text in opened if text.source.file is not None]
    found = discover([], config.selection, around_of=named)
    texts = read_all([source for source in found if _real(source) not in taken], size_limit=config.size_limit)
    both = [*opened, *texts]
    groups = [group for group in needs(both).groups() if min(group) < len(opened)]
    return [both[number] for group in groups for number in sorted(group) if number >= len(opened)]
