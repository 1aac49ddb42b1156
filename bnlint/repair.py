"""Repairing: apply fixes round after round, and take back each one that does not do what it promises."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from bnlint.config import Config
from bnlint.facts.collect import Text, with_data
from bnlint.facts.deep import in_deep_thread
from bnlint.finding import Finding
from bnlint.fixes.apply import Attempt, applicable, attempt, compatible
from bnlint.rules._base import Rule
from bnlint.run import Analysis, analyse

_ROUNDS = 25
_Key = tuple[str, str, str]


class Repair(NamedTuple):
    """The repaired analysis, how many fixes are in it by code, and a sentence for each one that was taken back."""

    analysis: Analysis
    applied: Counter[str]
    notes: tuple[str, ...]

    def changed(self, before: Analysis) -> list[tuple[Text, Text]]:
        """Pairs of texts, before and after, of the changed files."""
        pairs = zip(before.texts, self.analysis.texts, strict=True)
        return [(old, new) for old, new in pairs if old.data != new.data]


def repair(analysis: Analysis, config: Config, rules: Sequence[Rule], level: str) -> Repair:
    """Apply all fixes that `level` allows to texts (no file is written).

    Every round applies fixes that do not touch each other, one group a file, and lints again: a fix must remove its own
    finding and add none. A file in which that fails is tried again one fix at a time, so that the guilty one is known.
    """
    applied: Counter[str] = Counter()
    notes: list[str] = []
    barred: set[_Key] = set()
    single: set[str] = set()
    for _ in range(_ROUNDS):
        todo = [f for f in applicable(analysis.shown(config).findings, level) if _allowed(f, config, barred)]
        groups = _groups(_safe_first(todo), analysis, single)
        if not groups:
            break
        texts = analysis.by_path()
        attempts: dict[str, Attempt] = {}
        for path, group in groups.items():
            done: Attempt = in_deep_thread(attempt, texts[path].data, group)
            for finding, reason in done.refused:
                barred.add(_key(finding))
                notes.append(f"{path}: the fix of {finding.code} was not applied: {reason}")
            if done.applied:
                attempts[path] = done
        analysis, kept, bad = _keep(analysis, attempts, config, rules)
        applied.update(finding.code for path in kept for finding in attempts[path].applied)
        for path in bad:
            if len(attempts[path].applied) > 1:
                single.add(path)
                continue
            finding = attempts[path].applied[0]
            barred.add(_key(finding))
            notes.append(
                f"{path}: the fix of {finding.code} was taken back: the finding was still there, or a new one was"
            )
    return Repair(analysis, applied, tuple(notes))


def _safe_first(todo: Sequence[Finding]) -> list[Finding]:
    """The safe fixes of each file before its others: they may be all that is needed, and the others are made for what is left."""
    safe = {f.place.path for f in todo if f.fix is not None and f.fix.safety == "safe"}
    return [f for f in todo if f.place.path not in safe or (f.fix is not None and f.fix.safety == "safe")]


def _allowed(finding: Finding, config: Config, barred: set[_Key]) -> bool:
    return _key(finding) not in barred and not any(finding.code.startswith(code) for code in config.unfixable)


def _key(finding: Finding) -> _Key:
    return finding.place.path, finding.code, finding.says


def _groups(todo: Sequence[Finding], analysis: Analysis, single: set[str]) -> dict[str, list[Finding]]:
    by_path: dict[str, list[Finding]] = {}
    for finding in todo:
        by_path.setdefault(finding.place.path, []).append(finding)
    return {
        path: compatible(sorted(group, key=lambda f: f.place.at), analysis.facts_of(path).body)[
            : 1 if path in single else None
        ]
        for path, group in by_path.items()
    }


def _keep(
    analysis: Analysis, attempts: dict[str, Attempt], config: Config, rules: Sequence[Rule]
) -> tuple[Analysis, list[str], list[str]]:
    """The analysis with the attempts that hold what they promise, the paths of these, and those of the others."""
    good, bad = dict(attempts), list[str]()
    while good:
        new = _with(analysis, good, config, rules)
        broken = _broken(analysis, new, good)
        if not broken:
            return new, list(good), bad
        for path in broken:
            bad.append(path)
            del good[path]
    return analysis, [], bad


def _with(analysis: Analysis, attempts: dict[str, Attempt], config: Config, rules: Sequence[Rule]) -> Analysis:
    texts = [with_data(t, attempts[t.source.path].data) if t.source.path in attempts else t for t in analysis.texts]
    known = {facts.path: facts for facts in analysis.facts if facts.path not in attempts}
    return analyse(texts, config, rules, known)


def _broken(before: Analysis, after: Analysis, attempts: dict[str, Attempt]) -> list[str]:
    """Paths whose attempt left its own finding or brought a new one; if the harm is elsewhere, all of them."""
    allowed = Counter((f.place.path, f.code) for f in before.found)
    for path, done in attempts.items():
        allowed.subtract((path, finding.code) for finding in done.applied)
    now = Counter((f.place.path, f.code) for f in after.found)
    worse = {path for (path, code), count in now.items() if count > allowed[path, code]}
    own = [path for path in attempts if path in worse]
    return own or (list(attempts) if worse else [])
