"""What of an analysis is shown: chosen, located, not silenced, not in the baseline."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bnlint.config import Config
from bnlint.facts.collect import Text
from bnlint.facts.deep import in_deep_thread
from bnlint.finding import Finding, Place
from bnlint.rules.unused_suppression import META as UNUSED
from bnlint.source import Span
from bnlint.triage import baseline
from bnlint.triage.choose import asked_for, choose, loud_enough, order
from bnlint.triage.silence import Silence, may_silence, silence, silences

_AROUND = 2  # lines shown before and after the line of a finding
Excerpts = dict[str, dict[int, str]]


class Shown(NamedTuple):
    """Findings to show, sorted; how many are not, by reason; the lines around them; sentences about the run."""

    findings: tuple[Finding, ...]
    hidden: Counter[str]
    excerpts: Excerpts
    notes: tuple[str, ...]


def shown(found: Iterable[Finding], texts: Mapping[str, Text], config: Config, *, all_known: bool = False) -> Shown:
    """Choose among the findings of an analysis. With `all_known` the baseline is not consulted."""
    triage = choose(found, config)
    hidden = triage.hidden
    findings = located(triage.shown, texts)
    comments = [comment for text in texts.values() if text.source.reported for comment in _comments(text)]
    silenced = silence(findings, comments)
    hidden.update({"silenced by a comment": silenced.total} if silenced.total else {})
    unused = [_unused(comment) for comment in silenced.unused if _judged(comment, config)]
    findings = sorted([*silenced.left, *unused], key=order)
    excerpts = _excerpts(findings, texts)
    notes: list[str] = []
    if config.baseline and not all_known:
        file = config.path(config.baseline)
        known = baseline.known(findings, baseline.read(file), file, excerpts)
        findings = known.new
        hidden.update({"in the baseline": known.total} if known.total else {})
        if known.stale:
            notes.append(f"{known.stale} findings of the baseline are gone; --update-baseline forgets them")
    return Shown(tuple(findings), hidden, excerpts, tuple(notes))


def _comments(text: Text) -> Iterator[Silence]:
    if may_silence(text.data):
        yield from silences(text.source.path, text.lines())


def _judged(comment: Silence, config: Config) -> bool:
    finding = _unused(comment)
    codes = comment.codes or ("BN",)
    selected = all(any(c.startswith(s) or s.startswith(c) for s in config.selected()) for c in codes)
    return selected and asked_for(finding, config) and loud_enough(finding, config)


def _unused(comment: Silence) -> Finding:
    codes = f"[{', '.join(comment.codes)}]" if comment.codes else ""
    word = "ignore-file" if comment.line == 0 else "ignore"
    found = UNUSED.finding(comment.text, 0, comment=f"`# bnlint: {word}{codes}`")
    span = Span(comment.written, comment.column, comment.written, comment.column + 1)
    return found._replace(place=Place(comment.text, 0, span=span))


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
    spans = (
        in_deep_thread(_locate, {path: (texts[path].data, numbers) for path, numbers in wanted.items()})
        if wanted
        else {}
    )

    def placed(place: Place) -> Place:
        return place if place.span is not None else place._replace(span=spans[place.path][place.at])

    return [f._replace(place=placed(f.place), related=tuple(map(placed, f.related))) for f in findings]


def _locate(wanted: Mapping[str, tuple[bytes, Iterable[int]]]) -> dict[str, dict[int, Span]]:
    from bnlint.facts.locate import locate

    return {path: locate(data, numbers) for path, (data, numbers) in wanted.items()}


def _excerpts(findings: Iterable[Finding], texts: Mapping[str, Text]) -> Excerpts:
    wanted: dict[str, set[int]] = {}
    for finding in findings:
        for place in _places(finding):
            if place.span is not None:
                last = min(place.span.end_line, place.span.line + 3 * _AROUND)
                wanted.setdefault(place.path, set()).update(range(place.span.line - _AROUND, last + _AROUND + 1))
    found: Excerpts = {}
    for path, numbers in sorted(wanted.items()):
        lines = texts[path].lines()
        found[path] = {number: lines[number - 1] for number in sorted(numbers) if 0 < number <= len(lines)}
    return found


def write_baseline(found: Iterable[Finding], texts: Mapping[str, Text], config: Config, file: Path) -> int:
    """Write what is found today into the baseline `file`; return how many findings that are."""
    today = shown(found, texts, config, all_known=True)
    kept = [finding for finding in today.findings if finding.code != UNUSED.code and finding.severity != "note"]
    file.write_text(baseline.written(kept, file, today.excerpts), "utf-8")
    return len(kept)
