"""What was found before, kept by the content of all files it depends on.

An entry is JSON with a checksum in front, written whole or not at all; one that is damaged, or written by another
version of the linter, is not there. Nothing read from it is ever run.
"""

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import bnlint
from bnlint.finding import Edit, Finding, Fix, Place
from bnlint.source import Span

_DAYS_KEPT = 30
_MARK = ".bnlint"


class Cache:
    """Findings in a folder, by key; without a folder it is always empty."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, key: str) -> list[Finding] | None:
        """What was found for `key`, or None."""
        mark, _, text = (self.read(key) or b"").partition(b"\n")
        if mark != checksum(text).encode():
            return None
        try:
            return [_finding(row) for row in json.loads(text)]
        except (ValueError, TypeError, LookupError):
            return None

    def put(self, key: str, findings: Sequence[Finding]) -> None:
        """Keep what was found; a folder that cannot be written is no reason to fail."""
        text = json.dumps(findings, separators=(",", ":")).encode()  # ASCII: some file names have no encoding
        self.write(key, checksum(text).encode() + b"\n" + text)

    def read(self, key: str) -> bytes | None:
        """The bytes of an entry, whatever they are by now."""
        if self.folder is None:
            return None
        try:
            return self._file(key).read_bytes()
        except OSError:
            return None

    def write(self, key: str, data: bytes) -> None:
        """Write an entry, whole or not at all."""
        if self.folder is None:
            return
        file = self._file(key)
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            self._ignored_by_git()
            descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".new")
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
            os.replace(name, file)  # noqa: PTH105 - the same call, without another Path

    def _file(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / f"{key}{_MARK}"

    def _ignored_by_git(self) -> None:
        assert self.folder is not None
        mark = self.folder / ".gitignore"
        if not mark.exists():
            mark.write_text("*\n", "utf-8")

    def prune(self) -> None:
        """Forget what nobody has written for a month."""
        if self.folder is None:
            return
        oldest = time.time() - _DAYS_KEPT * 86_400
        with suppress(OSError):
            for file in self.folder.glob(f"*/*{_MARK}"):
                with suppress(OSError):
                    if file.stat().st_mtime < oldest:
                        file.unlink()


def checksum(data: bytes) -> str:
    """What tells that an entry is as it was written."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def key(parts: Iterable[str]) -> str:
    """The key of all `parts` in order, of this version of the linter and of this Python."""
    state = hashlib.blake2b(digest_size=20)
    for part in (_version(), *parts):
        state.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return state.hexdigest()


def _version() -> str:
    """The linter's version, and when its own files were changed: whoever works on a rule wants to see the effect."""
    root = Path(bnlint.__file__).parent
    newest = 0
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith(".py"):
                newest = max(newest, os.stat(os.path.join(folder, name)).st_mtime_ns)  # noqa: PTH116, PTH118 - 200 files at every start
    return f"{bnlint.__version__} {newest} {sys.version}"


def folder(configured: str, base: Path) -> Path:
    """Where results are kept: what is configured, else the user's cache folder."""
    if configured:
        return base / configured
    import platformdirs

    return Path(platformdirs.user_cache_dir("bnlint"))


# --- JSON → records --------------------------------------------------------------------------------------------------


def _finding(row: Sequence[Any]) -> Finding:
    code, name, severity, confidence, persona, place, says, related, fix = row
    return Finding(
        code, name, severity, confidence, persona, _place(place), says, tuple(_place(p) for p in related), _fix(fix)
    )


def _place(row: Sequence[Any]) -> Place:
    path, at, says, span, cell = row
    return Place(path, at, says, None if span is None else Span(*span), cell)


def _fix(row: Sequence[Any] | None) -> Fix | None:
    if row is None:
        return None
    title, safety, edits, lines = row
    return Fix(title, safety, tuple(Edit(at, verb, tuple(words)) for at, verb, words in edits), lines)
