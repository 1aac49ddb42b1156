"""What can differ between two batch norms, as the fields of one record. `anybn.presets` fills it in per framework.

`decay` is always the weight of the OLD value; `argument` and `argument_weighs` say how the framework spells it.
"""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal

from anybn.errors import bad_value

Weighs = Literal["old", "new", "none"]
Debias = Literal["none", "mean", "both"]
First = Literal["blend", "replace", "ignore"]
Single = Literal["raise", "compute", "skip", "identity"]
Empty = Literal["raise", "skip", "decay"]


@dataclass(frozen=True, slots=True)
class Renorm:
    """Batch renormalisation (Ioffe 2017): y is corrected towards running statistics by clipped constants r and d.

    ``r = clip(std / renorm_std, rmin, rmax)``, ``d = clip((mean - renorm_mean) / renorm_std, -dmax, dmax)``,
    ``y = (normalised * r + d) * scale + offset``; no gradient through r and d. None means no clipping.

    Attributes
    ----------
    decay : float
        Weight of the old renorm statistics (their own, not the running statistics' decay).
    rmin, rmax, dmax : float or None
    """

    decay: float = 0.99
    rmin: float | None = None
    rmax: float | None = None
    dmax: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Semantics:
    """One way of doing batch norm, complete.

    Attributes
    ----------
    name : str
    title : str
        The framework, class and version it describes.
    argument, argument_weighs : str
        The framework's own word for the averaging argument, and whether it is the weight of the old or the new value.
    axis : int
        The framework's default channel axis (for docs and converters; `batch_norm` itself always defaults to 1).
    eps : float
        Added to the variance, inside the square root.
    eps_floor : float
        The framework silently raises a smaller eps to this.
    decay : float or None
        Weight of the OLD running value; None is the cumulative average, ``n / (n + 1)`` at step n.
    scale, offset : bool
        Whether the framework learns them by default.
    corrections : tuple of float
        The running variance is ``biased * n/(n - c)`` for each c: ``()`` biased, ``(1.0,)`` unbiased (Bessel).
    debias : {"none", "mean", "both"}
        Zero debias (Adam's): running statistics are divided by ``1 - decay**steps``.
    first : {"blend", "replace", "ignore"}
        The first batch is averaged in as any other, replaces the initial statistics, or only initialises.
    normalize_by : {"batch", "running"}
        What y is normalised with in training ("running": the running statistics after their update).
    evaluate_by : {"running", "divided", "blend"}
        "divided": statistics are divided by ``1 - decay**steps`` only then; "blend": averaged with the batch's.
    renorm : Renorm or None
    ghost_order : {"strided", "contiguous"}
        Which samples form a ghost batch of size g: "strided" is i mod (N/g), "contiguous" is i // g.
    single : {"raise", "compute", "skip", "identity"}
        One value per channel in training: an error; y = offset and an update; y = offset without one; y = x without one.
    empty : {"raise", "skip", "decay"}
        No value at all (or all masked): an error; statistics stay and the step counts; they move towards 0.
    fix_scale : bool
        The scale is taken as 1 whatever is passed.
    quirk : str
        For a variant that reproduces a bug of the original: what the bug is. Empty for clean variants.
    note : str
        What a user should know who ports from or to it.
    """

    name: str
    title: str
    argument: str = "momentum"
    argument_weighs: Weighs = "old"
    axis: int = -1
    eps: float = 1e-3
    eps_floor: float = 0.0
    decay: float | None = 0.99
    scale: bool = True
    offset: bool = True
    corrections: tuple[float, ...] = ()
    debias: Debias = "none"
    first: First = "blend"
    normalize_by: Literal["batch", "running"] = "batch"
    evaluate_by: Literal["running", "divided", "blend"] = "running"
    renorm: Renorm | None = None
    ghost_order: Literal["strided", "contiguous"] = "contiguous"
    single: Single = "compute"
    empty: Empty = "skip"
    fix_scale: bool = False
    quirk: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        check_decay(self.decay)
        check_eps(self.eps)

    def but(self, **changes: Any) -> "Semantics":
        """Return a copy with some fields changed: ``PRESETS["torch"].but(decay=0.99)``."""
        return replace(self, **changes)


def check_decay(decay: float | None) -> None:
    """Raise `BadValue` for a decay that is no number from 0 to 1 (None is the cumulative average)."""
    if decay is not None and not 0 <= decay <= 1:
        raise bad_value(
            "decay is no weight",
            got=decay,
            expected="the weight of the OLD running value, from 0 to 1, or None for the cumulative average",
            hint="decay = 1 - momentum for PyTorch's momentum, decay = momentum for Keras'",
        )


def check_eps(eps: float) -> None:
    """Raise `BadValue` for an eps that is negative or not finite."""
    if not (isfinite(eps) and eps >= 0):
        raise bad_value(
            "eps must not be negative",
            got=eps,
            expected="a small number such as 1e-5, added to the variance",
            hint="eps=1e-5 (PyTorch) or eps=1e-3 (Keras)",
        )
