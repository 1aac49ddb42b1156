"""What every rule is made of: a Meta (identity, words, examples) and a function from facts to findings."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bnlint.facts.model import FileFacts
from bnlint.finding import Confidence, Edit, Finding, Fix, Persona, Place, Severity, unsafe

if TYPE_CHECKING:
    from bnlint.project.link import Project
    from bnlint.project.torch.verdicts import Verdict

__all__ = ["Edit", "Example", "Finding", "Fix", "Meta", "Place", "Rule", "rule", "unsafe"]


@dataclass(frozen=True, slots=True)
class Example:
    """A mistake and its correction; both are documentation and test.

    Give `bad` (the line that must be reported ends with ``# <-``) and `good`, or several `files` with `marks`
    (``"main.py:4"``) and optionally the corrected `fixed` files. `fixable` says that applying the rule's fix (with
    unsafe fixes allowed) turns `bad` into `good` exactly.
    """

    bad: str = ""
    good: str = ""
    title: str = ""
    files: tuple[tuple[str, str], ...] = ()
    marks: tuple[str, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()
    fixable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Identity and words of a rule: source of ``explain``, of the documentation, of SARIF and of the tests.

    `says` is the message, a format string; `why` one sentence on the harm; `fix_safety` what the repair may change;
    `proof` names the file under ``tests/bnlint/proofs`` that shows the harm, or says why it cannot be observed on a
    CPU.
    """

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    persona: Persona
    since: str
    frameworks: tuple[str, ...]
    says: str
    why: str
    examples: tuple[Example, ...]
    fix_safety: str = "No automatic fix; the message shows what to write."
    references: tuple[str, ...] = ()
    proof: str = ""
    # True where the rule may also fire for frameworks' versions or programs it cannot tell apart; shown in the docs.
    notes: str = ""

    def finding(
        self,
        path: str,
        at: int,
        *,
        related: Iterable[Place] = (),
        fix: Fix | None = None,
        confidence: Confidence | None = None,
        severity: Severity | None = None,
        persona: Persona | None = None,
        **words: Any,
    ) -> Finding:
        """A finding of this rule at record `at` of the file `path`; `words` fill the message."""
        return Finding(
            self.code,
            self.name,
            severity or self.severity,
            confidence or self.confidence,
            persona or self.persona,
            Place(path, at),
            self.says.format(**words),
            tuple(related),
            fix,
        )

    def judged(self, verdict: "Verdict", fix: Fix | None) -> Finding:
        """A finding on a network in the wrong mode, with the way that led there as related places."""
        return self.finding(
            verdict.path,
            verdict.at,
            related=[Place(path, at, says) for path, at, says in verdict.way],
            confidence=verdict.confidence,
            net=verdict.network,
            layer=verdict.layer,
            fix=fix,
        )


Check = Callable[[FileFacts, "Project"], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its Meta and its check of one file, which may ask the whole project."""

    meta: Meta
    check: Check


def rule(meta: Meta) -> Callable[[Check], Rule]:
    """Make a rule of a generator function ``check(file, project)``."""

    def make(check: Check) -> Rule:
        return Rule(meta, check)

    return make
