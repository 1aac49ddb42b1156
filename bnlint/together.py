"""Groups of files that import each other, each looked at by one process from its text to its findings.

Facts are many times larger than the text and slow to send, so they stay where they were made, and only findings come
back. A group that is most of the work would leave the other processes idle: it is cut up by files (:mod:`bnlint.judge`).
"""

import gc
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from bnlint.config import Config
from bnlint.facts import pool
from bnlint.facts.collect import Text, jobs_for, parsed, unparsed
from bnlint.facts.imports import Group
from bnlint.finding import Finding
from bnlint.judge import can_fork, judged
from bnlint.project.link import link
from bnlint.rules._base import Rule
from bnlint.shown import located

_BATCH = 400_000  # bytes of small groups that make a task
_TASKS_A_JOB = 8  # every task links all files, so there are not many more
_SLOWEST = 50_000  # bytes of a group that are looked at in a second even on a busy machine
_WIDE = 1.5  # shares of a process that a group may be and still be left to one


class Shares(NamedTuple):
    """Groups to be cut up, and tasks of whole groups, the largest first."""

    wide: list[Group]
    tasks: list[tuple[Group, ...]]


def look(
    texts: Sequence[Text],
    groups: Sequence[Group],
    needed: AbstractSet[int],
    config: Config,
    rules: Sequence[Rule],
    cut_up: Callable[[Sequence[Group]], list[Finding]],
) -> list[Finding]:
    """Everything the rules have to say of the files of `groups`, in no order; `needed` are the files to parse.

    `cut_up` looks at groups file by file in many processes: it is asked for what is too large for one of them, or has
    brought one down.
    """
    rules = tuple(rules)  # imported here, and not in every process
    if config.jobs < 0 or not can_fork():
        return cut_up(groups)

    def work(*task: Group) -> list[Finding]:
        gc.collect()  # a project is full of cycles, and the last one may have been large
        return _look(texts, sorted(number for group in task for number in group), needed, config, rules)

    size = _size(texts, [number for group in groups for number in group])
    jobs = config.jobs or jobs_for(size)
    shares = share_out(texts, groups, jobs)
    found = [finding for group in shares.wide for finding in cut_up([group])]
    limit = config.time_limit * 4 + max((_size(texts, n) for task in shares.tasks for n in task), default=0) / _SLOWEST
    failed: list[Group] = []
    for outcome in pool.run(work, shares.tasks, jobs=jobs, limit=limit, ahead=1):
        if outcome.failure is None:
            found.extend(outcome.result)
        else:
            failed.extend(shares.tasks[outcome.number])
    return [*found, *(finding for group in failed for finding in cut_up([group]))]


def share_out(texts: Sequence[Text], groups: Iterable[Group], jobs: int) -> Shares:
    """Make tasks of groups for `jobs` processes."""
    sizes = {group: _size(texts, group) for group in groups}
    total = sum(sizes.values())
    batch = max(_BATCH, total // (jobs * _TASKS_A_JOB))
    wide = [group for group, size in sizes.items() if jobs > 1 and size > max(batch, _WIDE * total / jobs)]
    tasks: list[tuple[Group, ...]] = []
    task: list[Group] = []
    filled = 0
    for group in sorted(set(sizes) - set(wide), key=lambda group: (-sizes[group], group)):
        task.append(group)
        filled += sizes[group]
        if filled >= batch:
            tasks.append(tuple(task))
            task, filled = [], 0
    return Shares(wide, [*tasks, tuple(task)] if task else tasks)


def _size(texts: Sequence[Text], numbers: Iterable[int]) -> int:
    return sum(len(texts[number].data) for number in numbers)


def _look(
    texts: Sequence[Text], numbers: Sequence[int], needed: AbstractSet[int], config: Config, rules: Sequence[Rule]
) -> list[Finding]:
    facts = [unparsed(text) for text in texts]
    for number in numbers:
        if number in needed:
            facts[number] = parsed(texts[number])
    project = link(facts, config.known, dict(config.target))
    reported = [facts[number] for number in numbers if texts[number].source.reported]
    found = [finding for file in reported for finding in judged(file, project, rules)]
    return located(found, {text.source.path: text for text in texts})
