"""A baseline: findings that were there when the linter was switched on. They are known by what the line says, not by its
number, so they stay known when lines move.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bnlint.errors import ConfigError
from bnlint.finding import Finding

VERSION = 1
Excerpts = Mapping[str, Mapping[int, str]]


def fingerprint(finding: Finding, excerpts: Excerpts) -> str:
    """What makes a finding the same one after lines have moved: code, message and the text of its line."""
    span = finding.place.span
    line = excerpts.get(finding.place.text, {}).get(span.line, "") if span is not None else ""
    words = "\0".join((finding.code, finding.says, "".join(line.split())))
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


class Known(NamedTuple):
    """Findings that are new, how many are known, and how many entries of the baseline no longer occur."""

    new: list[Finding]
    total: int
    stale: int


def read(file: Path) -> Counter[tuple[str, str]]:
    """Entries of a baseline: how often each fingerprint is known in each path (relative to the file's folder).

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    try:
        table: Any = json.loads(file.read_text("utf-8"))
        if table["version"] != VERSION:
            raise ConfigError(
                f"{file}: got version {table['version']!r}, expected {VERSION}; write it again with --update-baseline"
            )
        return Counter({(one["path"], one["fingerprint"]): int(one["count"]) for one in table["findings"]})
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: no such baseline; make one with --update-baseline") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: not a baseline: {error}; write it again with --update-baseline") from error


def _path(finding: Finding, file: Path) -> str:
    path, folder = Path(finding.place.path).absolute(), file.absolute().parent
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def known(findings: Iterable[Finding], entries: Counter[tuple[str, str]], file: Path, excerpts: Excerpts) -> Known:
    """Tell new findings from known ones; each entry is good for as many findings as it counts."""
    rest = Counter(entries)
    new: list[Finding] = []
    count = 0
    for finding in findings:
        key = _path(finding, file), fingerprint(finding, excerpts)
        if rest[key] > 0:
            rest[key] -= 1
            count += 1
        else:
            new.append(finding)
    return Known(new, count, sum(rest.values()))


def written(findings: Iterable[Finding], file: Path, excerpts: Excerpts) -> str:
    """The text of a baseline with all `findings`, sorted, one entry a line group, so that its diffs are readable."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for finding in findings:
        counts[_path(finding, file), finding.code, finding.says, fingerprint(finding, excerpts)] += 1
    entries = [
        {"path": path, "code": code, "message": says, "fingerprint": mark, "count": count}
        for (path, code, says, mark), count in sorted(counts.items())
    ]
    return json.dumps({"version": VERSION, "findings": entries}, indent=2, ensure_ascii=False) + "\n"
