"""Edits that change no fact: the findings of a group of files stay what they were, at other lines.

All that rules know of a file are its facts. They hold no blank line and no formatting, and of the comments they hold
those are heard that speak to an analysis. A group with the facts it had has the findings it had.
"""

from collections.abc import Mapping, Sequence

from bnlint.facts.collect import Text, parsed, with_data
from bnlint.facts.deep import in_deep_thread
from bnlint.facts.model import FileFacts
from bnlint.finding import Finding, Place
from bnlint.frameworks.comments import speaks
from bnlint.frameworks.known import Known
from bnlint.memory import Memory
from bnlint.shown import located

_MANY = 30  # changed files of a group, from which on it is looked at anew


def changed(texts: Sequence[Text], memory: Memory) -> list[Text] | None:
    """Those of `texts` that are not what they were; None where there are too many, or one was not there."""
    if any(text.source.path not in memory.files for text in texts):
        return None
    found = [text for text in texts if memory.files[text.source.path].digest != text.digest]
    return found if len(found) <= _MANY else None


def same_facts(text: Text, memory: Memory, known: Known) -> bool:
    """Whether a changed text says what it said before."""
    before = memory.text(text.source.path)
    if not text.data or not before or text.notebook is not None:
        return False
    return bool(in_deep_thread(_same, with_data(text, before), text, known))


def _same(old: Text, new: Text, known: Known) -> bool:
    one, other = parsed(old), parsed(new)
    if one.problem is not None or other.problem is not None or one.body != other.body:
        return False
    # To Python 1, 1.0 and True are equal; to a rule they are not.
    return repr(one.body) == repr(other.body) and _heard(one, known) == _heard(other, known)


def _heard(facts: FileFacts, known: Known) -> list[tuple[int, str]]:
    return [(comment.at, comment.text) for comment in facts.comments if speaks(comment.text, known.intent)]


def moved(found: Sequence[Finding], edited: Sequence[Text], texts: Mapping[str, Text]) -> list[Finding]:
    """The same findings where they stand now, after files were `edited`."""
    paths = {text.source.path for text in edited}

    def lost(place: Place) -> Place:
        return place._replace(span=None) if place.path in paths else place

    return located([one._replace(place=lost(one.place), related=tuple(map(lost, one.related))) for one in found], texts)
