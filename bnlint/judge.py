"""Rules over files, in forked processes where that is possible: a rule that hangs or dies costs one file, not the run."""

import gc
import multiprocessing
import sys
import threading
from collections.abc import Iterator, Sequence

from bnlint.facts import pool
from bnlint.facts.collect import Text, jobs_for
from bnlint.facts.deep import deep_recursion, in_deep_thread
from bnlint.facts.model import FileFacts, Problem
from bnlint.finding import Finding, Place
from bnlint.project.link import Project
from bnlint.rules._base import Rule
from bnlint.rules.not_analysed import META as NOT_ANALYSED
from bnlint.source import Span

_SHARD = 400_000  # bytes of source one task looks at
_PATIENCE = 6  # tasks in a row that fail: what they share, an analysis of the whole program, is what fails


def judge(
    files: Sequence[tuple[FileFacts, Text]], project: Project, rules: Sequence[Rule], *, jobs: int, limit: float
) -> list[Finding]:
    """Everything the rules have to say of `files`, in their order."""

    def work(numbers: Sequence[int]) -> list[Finding]:
        return [finding for number in numbers for finding in judged(files[number][0], project, rules)]

    everything = list(range(len(files)))
    if jobs < 0 or not can_fork():
        return list(in_deep_thread(work, everything))
    shards = list(_shards(files))
    jobs = jobs or jobs_for(sum(len(text.data) for _, text in files))
    found: dict[int, list[Finding]] = {}
    again: list[int] = []
    gc.freeze()  # so that the children do not copy what they only read
    try:
        for outcome in _patiently(work, shards, jobs=jobs, limit=limit * 4):
            if outcome.failure is None:
                found[shards[outcome.number][0]] = outcome.result
            else:
                again.extend(shards[outcome.number])
        for outcome in _patiently(work, [[number] for number in again], jobs=jobs, limit=limit):
            number = again[outcome.number]
            path = files[number][0].path
            found[number] = (
                outcome.result if outcome.failure is None else [not_analysed(path, Problem(outcome.failure))]
            )
    finally:
        gc.unfreeze()
    return [finding for number in sorted(found) for finding in found[number]]


def _patiently(work: pool.Work, shards: Sequence[Sequence[int]], *, jobs: int, limit: float) -> Iterator[pool.Outcome]:
    """Outcomes of all `shards`; after many failures in a row the rest fails untried, for the reason of the last one."""
    left = dict(enumerate(shards))
    failures, why = 0, None
    for outcome in pool.run(work, [(shard,) for shard in shards], jobs=jobs, limit=limit) if shards else ():
        del left[outcome.number]
        why = outcome.failure
        failures = failures + 1 if why is not None else 0
        yield outcome
        if failures >= max(_PATIENCE, 2 * jobs):
            break
    if left:
        yield from (pool.Outcome(number, None, why) for number in left)


def can_fork() -> bool:
    """Whether processes that know what this one knows can be had."""
    return (
        sys.platform.startswith("linux")
        and threading.active_count() == 1
        and "fork" in multiprocessing.get_all_start_methods()
    )


def _shards(files: Sequence[tuple[FileFacts, Text]]) -> Iterator[list[int]]:
    shard: list[int] = []
    size = 0
    for number, (_, text) in enumerate(files):
        shard.append(number)
        size += len(text.data)
        if size >= _SHARD:
            yield shard
            shard, size = [], 0
    if shard:
        yield shard


def judged(file: FileFacts, project: Project, rules: Sequence[Rule]) -> list[Finding]:
    """Everything the rules have to say of one file, each thing once. A rule that fails is reported, the others go on."""
    found: dict[Finding, None] = {}
    for rule in rules:
        try:
            with deep_recursion():
                found.update(dict.fromkeys(rule.check(file, project)))
        except Exception as error:
            problem = Problem(f"the rule {rule.meta.code} failed: {type(error).__name__}: {error}")
            found[not_analysed(file.path, problem)] = None
    return list(found)


def not_analysed(path: str, problem: Problem) -> Finding:
    """A note that nothing, or not everything, is known of a file."""
    span = Span(problem.line, problem.column, problem.line, problem.column + 1)
    return NOT_ANALYSED.finding(path, 0, reason=problem.message)._replace(place=Place(path, 0, span=span))
