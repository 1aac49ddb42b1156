"""What each fix would change, as regions of text: for formats and editors that apply fixes themselves."""

import difflib
from collections.abc import Iterable, Mapping

from bnlint.facts.collect import Text
from bnlint.facts.deep import in_deep_thread
from bnlint.facts.python_read import LINE_END, decoded
from bnlint.finding import Finding
from bnlint.fixes.apply import Attempt, attempt
from bnlint.source import Span

Change = tuple[Span, str]


def changes_of(findings: Iterable[Finding], texts: Mapping[str, Text]) -> dict[Finding, tuple[Change, ...]]:
    """Regions and their new text, for every finding whose fix can be applied."""
    fixable = [f for f in findings if f.fix is not None and f.fix.edits and not f.place.cell]
    found: dict[Finding, tuple[Change, ...]] = {}
    for finding in fixable:
        data = texts[finding.place.path].data
        done: Attempt = in_deep_thread(attempt, data, [finding])
        if done.applied and done.data != data:
            found[finding] = tuple(changes(decoded(data), decoded(done.data)))
    return found


def changes(before: str, after: str) -> Iterable[Change]:
    """Whole lines that differ."""
    old, new = _lines(before), _lines(after)
    for tag, start, end, new_start, new_end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Span(start + 1, 1, end + 1, 1), "".join(new[new_start:new_end])


def _lines(text: str) -> list[str]:
    ends = [match.end() for match in LINE_END.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True) if start < end]
