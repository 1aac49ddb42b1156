"""The choices of a run."""

from dataclasses import dataclass, field

from bnlint.finding import Confidence, Persona, Severity
from bnlint.source import Selection

SEVERITIES: tuple[Severity, ...] = ("note", "info", "warning", "error")
CONFIDENCES: tuple[Confidence, ...] = ("low", "medium", "high")
PERSONAS: tuple[Persona, ...] = ("regular", "pedantic", "auditor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything a run can be told. Codes may be shortened: ``BN2`` means every rule whose code begins so."""

    select: tuple[str, ...] = ("BN",)
    ignore: tuple[str, ...] = ()
    persona: Persona = "regular"
    min_severity: Severity = "note"
    min_confidence: Confidence = "low"
    selection: Selection = field(default_factory=Selection)
    jobs: int = 0
    time_limit: float = 30.0
    size_limit: int = 4_000_000
