"""What the last run over a tree saw: outlines and texts of its files, to tell what has really changed since.

Nothing here has to be trusted: an outline is kept under the hash of its text, a text is hashed again when it is read,
and the index has a checksum. What is damaged is not there.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from bnlint.cache import Cache, checksum
from bnlint.facts.collect import Text, digest_of
from bnlint.facts.imports import Imported, Outline


class Kept(NamedTuple):
    """One file: the hash of its text, its outline, and where its compressed text is."""

    digest: str
    outline: Outline | None
    start: int
    size: int


class Memory(NamedTuple):
    """Files by path, and their compressed texts one after another."""

    files: dict[str, Kept]
    packed: bytes

    def outlines(self) -> dict[str, Outline]:
        """Outlines by the hash of the text."""
        return {kept.digest: kept.outline for kept in self.files.values() if kept.outline is not None}

    def text(self, path: str) -> bytes | None:
        """What was in a file, if that can still be told."""
        kept = self.files[path]
        try:
            data = zlib.decompress(self.packed[kept.start : kept.start + kept.size])
        except zlib.error:
            return None
        return data if digest_of(data) == kept.digest else None


NOTHING = Memory({}, b"")


def recall(cache: Cache, key: str) -> Memory:
    """What was kept under `key`."""
    mark, _, rest = (cache.read(key) or b"").partition(b"\n")
    index, _, packed = rest.partition(b"\n")
    if mark != checksum(index).encode():
        return NOTHING
    try:
        return Memory({path: _kept(*row) for path, *row in json.loads(index)}, packed)
    except (ValueError, TypeError, LookupError):
        return NOTHING


def remember(cache: Cache, key: str, texts: Sequence[Text], outlines: Sequence[Outline | None], old: Memory) -> None:
    """Keep the present texts; those that have not changed need not be compressed again.

    Of a notebook only the hash is kept: its text is not what the hash was made of.
    """
    rows: list[tuple[object, ...]] = []
    parts: list[bytes] = []
    at = 0
    for text, outline in zip(texts, outlines, strict=True):
        part = _packed(text, old)
        rows.append((text.source.path, text.digest, outline, at, len(part)))
        parts.append(part)
        at += len(part)
    index = json.dumps(rows, separators=(",", ":")).encode()
    cache.write(key, b"\n".join((checksum(index).encode(), index, b"".join(parts))))


def _packed(text: Text, old: Memory) -> bytes:
    if not text.data or text.notebook is not None:
        return b""
    kept = old.files.get(text.source.path)
    if kept is not None and kept.digest == text.digest:
        return old.packed[kept.start : kept.start + kept.size]
    return zlib.compress(text.data, 1)


def _kept(digest: str, outline: Sequence[Any] | None, start: int, size: int) -> Kept:
    return Kept(digest, None if outline is None else _outline(*outline), start, size)


def _outline(triggered: bool, framework: bool, torch: bool, by_name: bool, hands_on: bool, imports: Any) -> Outline:
    meant = tuple(Imported(dots, tuple(module), tuple(names)) for dots, module, names in imports)
    return Outline(triggered, framework, torch, by_name, hands_on, meant)
