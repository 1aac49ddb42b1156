"""Sources → facts of all files: read, skip what holds no trigger word, parse the rest in a pool of processes."""

import gc
import hashlib
import os
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bnlint.facts.deep import in_deep_thread
from bnlint.facts.imports import Needed, Outline, needed, outline
from bnlint.facts.model import FileFacts, Problem
from bnlint.facts.python_read import LINE_END, decoded
from bnlint.notebook import Cell, cells, program, with_program
from bnlint.source import Source

_BYTES_PER_JOB = 60_000


class Text(NamedTuple):
    """A source with its bytes, or with the problem that there are none; `data` of a notebook is its program."""

    source: Source
    data: bytes
    digest: str
    problem: Problem | None = None
    notebook: bytes | None = None

    def written(self) -> bytes:
        """The bytes of the file itself: those of the notebook, if it is one."""
        return self.data if self.notebook is None else with_program(self.notebook, self.data.decode())

    def cells(self) -> tuple[Cell, ...]:
        """Where the cells begin, if it is a notebook."""
        return () if self.notebook is None else cells(self.data.decode())

    def lines(self) -> list[str]:
        """The lines of the file as LibCST counts them, without their ends."""
        return LINE_END.split(decoded(self.data))


def read_all(sources: Sequence[Source], *, size_limit: int) -> list[Text]:
    """The bytes of every source and their hashes."""
    return [_read(source, size_limit) for source in sources]


def _read(source: Source, size_limit: int) -> Text:
    try:
        data = source.read()
    except OSError as error:
        return Text(source, b"", "", Problem(f"cannot be read: {error.strerror or error}"))
    except ValueError as error:
        return Text(source, b"", "", Problem(f"cannot be read: {error}"))
    digest = digest_of(data)
    if len(data) > size_limit:
        return Text(source, b"", digest, Problem(f"larger than {size_limit:,} bytes (size-limit)"))
    if source.path.endswith(".ipynb"):
        return _read_notebook(source, data, digest)
    if b"\0" in data:
        return Text(source, b"", digest, Problem("holds NUL bytes, so it is not Python source"))
    return Text(source, data, digest)


def _read_notebook(source: Source, data: bytes, digest: str) -> Text:
    try:
        return Text(source, program(data).text.encode(), digest, None, data)
    except ValueError as error:  # also what cannot be decoded
        return Text(source, b"", digest, Problem(f"not a notebook: {error}"))


def with_data(text: Text, data: bytes) -> Text:
    """The same source with other bytes."""
    return Text(text.source, data, digest_of(data), None, text.notebook)


def digest_of(data: bytes) -> str:
    """The hash by which facts are kept."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def needs(texts: Sequence[Text], seen: Sequence[Outline | None] | None = None) -> Needed:
    """Which texts must be parsed: those with a trigger word, and what they import. Their outlines may be at hand."""
    return needed([text.source.path for text in texts], outlines(texts, {}) if seen is None else seen)


def outlines(texts: Sequence[Text], known: Mapping[str, Outline]) -> list[Outline | None]:
    """The outline of each text, None for one that is empty."""
    return [(known.get(text.digest) or outline(text.data)) if text.data else None for text in texts]


def collect(
    texts: Sequence[Text],
    *,
    jobs: int = 0,
    time_limit: float = 30.0,
    wanted: Iterable[int] | None = None,
    known: Mapping[str, FileFacts] | None = None,
) -> list[FileFacts]:
    """Facts of all `texts`, in their order.

    Parameters
    ----------
    texts
        What :func:`read_all` gave.
    jobs
        Number of processes; 0 chooses by the size of the work, -1 works in this process.
    time_limit
        Seconds one file may take.
    wanted
        Numbers of the texts to parse; None means what :func:`needs` says.
    known
        Facts by path that are taken as they are, if the file has not changed.
    """
    known = known or {}
    facts = {n: known[t.source.path] for n, t in enumerate(texts) if t.source.path in known}
    facts = {n: one for n, one in facts.items() if one.parsed and one.digest == texts[n].digest}
    wanted = needs(texts).numbers if wanted is None else wanted
    items = [(number, texts[number]) for number in wanted if number not in facts]
    collecting = gc.isenabled()
    gc.disable()  # facts have no cycles; looking for some in millions of records takes longer than reading them
    try:
        for number, blob, problem in _parse(items, jobs, time_limit):
            facts[number] = _loaded(texts[number], blob, problem)
    finally:
        if collecting:
            gc.enable()
    return [facts[number] if number in facts else unparsed(text) for number, text in enumerate(texts)]


def _loaded(text: Text, blob: bytes, problem: Problem | None) -> FileFacts:
    if problem is not None:
        return FileFacts(text.source.path, text.digest, problem=problem)
    made: FileFacts = pickle.loads(blob)  # noqa: S301 - our own worker made it
    return made


def unparsed(text: Text) -> FileFacts:
    """What is known of a file that is not parsed: nothing, or why."""
    return FileFacts(text.source.path, text.digest, problem=text.problem, parsed=False)


def _parse(items: list[tuple[int, Text]], jobs: int, time_limit: float) -> Iterator[tuple[int, bytes, Problem | None]]:
    if jobs < 0:
        for number, text in items:
            yield number, in_deep_thread(facts_blob, text.source.path, text.digest, text.data), None
        return
    from bnlint.facts import pool

    # The largest first: a long file at the end would leave one process working alone.
    items = sorted(items, key=lambda item: -len(item[1].data))
    tasks = [(text.source.path, text.digest, text.data) for _, text in items]
    jobs = jobs or jobs_for(sum(len(text.data) for _, text in items))
    for outcome in pool.run(facts_blob, tasks, jobs=jobs, limit=time_limit):
        problem = Problem(outcome.failure) if outcome.failure is not None else None
        yield items[outcome.number][0], outcome.result, problem


def jobs_for(size: int) -> int:
    """Processes worth starting for `size` bytes of source."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, 16, size // _BYTES_PER_JOB))


def parsed(text: Text) -> FileFacts:
    """Facts of one file, taken in this process."""
    from bnlint.facts.extract import extract

    return extract(text.source.path, text.digest, text.data)


def facts_blob(path: str, digest: str, data: bytes) -> bytes:
    """Facts of one file, pickled where there is stack enough to pickle deep trees."""
    from bnlint.facts.extract import extract

    facts: Any = extract(path, digest, data)
    return pickle.dumps(facts, 5)
