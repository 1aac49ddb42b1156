"""What of an analysis is shown: chosen, located, not silenced, not in the baseline."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bnlint.config import Config
from bnlint.facts.collect import Text
from bnlint.facts.deep import in_deep_thread
from bnlint.finding import Finding, Place
from bnlint.fixes.write import write
from bnlint.notebook import Cell, restored
from bnlint.options import ALL
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
        for name, lines in _parts(text):
            yield from silences(name, lines)


def _parts(text: Text) -> Iterator[tuple[str, list[str]]]:
    """Lines of a file, or of each cell of a notebook, by the name that places have for it."""
    lines, begun = text.lines(), text.cells()
    if not begun:
        yield text.source.path, lines
        return
    for cell, after in zip(begun, [*(cell.line - 1 for cell in begun[1:]), len(lines)], strict=True):
        yield Place(text.source.path, 0, cell=cell.number).text, restored(lines[cell.line : after])


def _judged(comment: Silence, config: Config) -> bool:
    finding = _unused(comment)
    selected = all(
        any(s == ALL or c.startswith(s) or s.startswith(c) for s in config.selected()) for c in comment.codes
    )
    return selected and asked_for(finding, config) and loud_enough(finding, config)


def _unused(comment: Silence) -> Finding:
    from bnlint.rules.unused_suppression import META as UNUSED  # its module knows all analyses, and few runs need it

    codes = f"[{', '.join(comment.codes)}]" if comment.codes else ""
    word = "ignore-file" if comment.line == 0 else "ignore"
    found = UNUSED.finding(comment.text, 0, comment=f"`# bnlint: {word}{codes}`")
    span = Span(comment.written, comment.column, comment.written, comment.column + 1)
    path, _, cell = comment.text.partition(":cell ")
    return found._replace(place=Place(path, 0, span=span, cell=int(cell or 0)))


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

    in_cells = {path: text.cells() for path, text in texts.items() if text.notebook is not None}

    def placed(place: Place) -> Place:
        if place.span is None:
            place = place._replace(span=spans[place.path][place.at])
        return _in_cell(place, in_cells[place.path]) if place.path in in_cells else place

    return [f._replace(place=placed(f.place), related=tuple(map(placed, f.related))) for f in findings]


def _in_cell(place: Place, cells: Sequence[Cell]) -> Place:
    """The same place, counted in its cell of the notebook."""
    span = place.span
    if place.cell or span is None:
        return place
    cell = next((cell for cell in reversed(cells) if cell.line < span.line), None)
    if cell is None:
        return place
    moved = Span(span.line - cell.line, span.column, span.end_line - cell.line, span.end_column)
    return place._replace(span=moved, cell=cell.number)


def _locate(wanted: Mapping[str, tuple[bytes, Iterable[int]]]) -> dict[str, dict[int, Span]]:
    from bnlint.facts.locate import locate

    return {path: locate(data, numbers) for path, (data, numbers) in wanted.items()}


def _excerpts(findings: Iterable[Finding], texts: Mapping[str, Text]) -> Excerpts:
    wanted: dict[str, set[int]] = {}
    paths: dict[str, None] = {}
    for finding in findings:
        for place in _places(finding):
            if place.span is not None:
                paths[place.path] = None
                last = min(place.span.end_line, place.span.line + 3 * _AROUND)
                wanted.setdefault(place.text, set()).update(range(place.span.line - _AROUND, last + _AROUND + 1))
    parts = {name: lines for path in paths if path in texts for name, lines in _parts(texts[path])}
    return {
        name: {number: parts[name][number - 1] for number in sorted(numbers) if 0 < number <= len(parts[name])}
        for name, numbers in sorted(wanted.items())
        if name in parts
    }


def write_baseline(found: Iterable[Finding], texts: Mapping[str, Text], config: Config, file: Path) -> int:
    """Write what is found today into the baseline `file`; return how many findings that are."""
    from bnlint.rules.unused_suppression import META as UNUSED

    today = shown(found, texts, config, all_known=True)
    kept = [finding for finding in today.findings if finding.code != UNUSED.code and finding.severity != "note"]
    write(file, baseline.written(kept, file, today.excerpts).encode("utf-8", "backslashreplace"))
    return len(kept)
