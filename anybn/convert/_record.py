"""What every converter reads into and writes from, and the one place that decides what can be carried."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from anybn._typing import Array, Namespace
from anybn.errors import Unsupported, bad_value, explain
from anybn.namespace import of
from anybn.semantics import Semantics
from anybn.state import Params, RunningStats


class Snapshot(NamedTuple):
    """One batch norm, whole: what it learned, what it remembers, and how it goes on.

    Attributes
    ----------
    params : Params
    state : RunningStats
    semantics : Semantics
        With the layer's own eps and decay.
    """

    params: Params
    state: RunningStats
    semantics: Semantics


class Exported(NamedTuple):
    """One batch norm in a framework's own words; the first three fields are what the ``from_…`` functions take.

    Attributes
    ----------
    arrays : mapping
        By the framework's names (a tree where the framework has one). The arrays that were given, not copies.
    arguments : mapping
        For the constructor of the framework's layer.
    frozen : tuple of str
        Names in ``arrays`` that the original does not have (a scale of ones, an offset of zeros). They must not be
        trained, or the layer learns what the original could not.
    not_carried : tuple of str
        How training would differ from the original; empty after ``training=True``, which refuses instead.
    notes : tuple of str
        Differences for batches with one value per channel, or none, only.
    """

    arrays: dict[str, Any]
    arguments: dict[str, Any]
    frozen: tuple[str, ...] = ()
    not_carried: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Carried(NamedTuple):
    """A snapshot in the semantics of its target."""

    snapshot: Snapshot
    target: Semantics
    not_carried: tuple[str, ...]
    notes: tuple[str, ...]


TRAINING = {
    "corrections": "running variance: {}",
    "debias": "zero debias of the running statistics: {}",
    "first": "what the first batch does to the running statistics: {}",
    "normalize_by": "y in training is normalised by the statistics of: {}",
}
"""Fields that change what training gives, and how to say so."""

EDGES = {
    "single": "a batch with one value per channel: {}",
    "empty": "an empty batch: {}",
}
"""Fields that only matter for degenerate batches: noted, never refused."""


def carry(snapshot: Snapshot, candidates: Sequence[Semantics], title: str, *, training: bool) -> Carried:
    """Bring a snapshot to the candidate that differs least.

    Parameters
    ----------
    snapshot : Snapshot
    candidates : sequence of Semantics
        All that the target framework's layer can be told to do.
    title : str
        The target's name, for messages.
    training : bool
        Whether the layer will be trained on: then every difference in training is an `Unsupported`. With False only
        evaluation has to be the same, and the differences come back in ``not_carried``.
    """
    if not isinstance(training, bool):
        raise bad_value(
            "training must be a Python bool",
            got=repr(training),
            expected="True to train the layer on, False to evaluate with it only",
            hint="training=True",
        )
    if snapshot.semantics.evaluate_by == "blend":
        raise _refused(title, ["evaluation normalises by a blend of batch and running statistics"], "no other layer")
    best, lost = _nearest(snapshot.semantics, candidates)
    if lost:
        # Haiku after a thousand steps is a plain average: try what is left of the semantics by now.
        snapshot = snapshot._replace(semantics=settled(snapshot.semantics, int(snapshot.state.steps)))
        best, lost = _nearest(snapshot.semantics, candidates)
    if training and lost:
        raise _refused(title, lost, "training=False, which carries evaluation and lists the rest in not_carried")
    plain = _evaluated(snapshot, best)
    return Carried(plain, _filled(best, plain.semantics), tuple(lost), tuple(edges(snapshot.semantics, best)))


def settled(semantics: Semantics, steps: int) -> Semantics:
    """Return the semantics without what only matters at the start, if ``steps`` say that the start is over.

    The first batch is special once; zero debias divides by ``1 - decay**steps``, which is 1 to all digits of float32
    once ``decay**steps`` is below 1e-9.
    """
    if steps < 1:
        return semantics
    semantics = semantics.but(first="blend")
    if semantics.decay is None or semantics.decay**steps > 1e-9:
        return semantics
    plain = "running" if semantics.evaluate_by == "divided" else semantics.evaluate_by
    return semantics.but(debias="none", evaluate_by=plain)


def refuse_no_forgetting(decay: float | None, title: str, *, training: bool) -> None:
    """Refuse a decay so near to 1 that ``1 - decay**steps``, by which the target divides, is 0 in float32."""
    if training and decay is not None and decay > 1.0 - 1e-7:
        raise _refused(title, [f"statistics that never move: decay {decay}"], "training=False, or a smaller decay")


def _nearest(source: Semantics, candidates: Sequence[Semantics]) -> tuple[Semantics, list[str]]:
    """Return the candidate that differs least, and in what."""
    best = min(candidates, key=lambda one: len(differences(source, one)))
    return best, differences(source, best)


def differences(source: Semantics, target: Semantics) -> list[str]:
    """Say in words what differs in training, whatever the numbers (eps, decay) that both can be given."""
    found = [_versus(text, name, source, target) for name, text in TRAINING.items() if _differ(name, source, target)]
    if (source.decay is None) != (target.decay is None):
        found.append(f"the running statistics are {_average(source)} there, {_average(target)} here")
    if (source.renorm is None) != (target.renorm is None):
        found.append(f"batch renormalisation is {'on there, off' if source.renorm else 'off there, on'} here")
    if source.evaluate_by != target.evaluate_by:
        found.append(f"evaluation is by {source.evaluate_by} statistics there, {target.evaluate_by} here")
    return found


def edges(source: Semantics, target: Semantics) -> list[str]:
    """Say in words what differs for degenerate batches."""
    return [_versus(text, name, source, target) for name, text in EDGES.items() if _differ(name, source, target)]


def decay_of(momentum: float | None, *, weighs: str) -> float | None:
    """Return the weight of the old value that the framework's argument means."""
    return momentum if momentum is None or weighs == "old" else 1.0 - momentum


def momentum_of(decay: float | None, *, weighs: str) -> float | None:
    """Return the framework's argument for a decay: the shortest decimal that `decay_of` turns back into it."""
    if decay is None or weighs == "old":
        return decay
    exact = 1.0 - decay
    return next((short for digits in range(1, 17) if 1.0 - (short := round(exact, digits)) == decay), exact)


def completed(params: Params, state: RunningStats, needs: Iterable[str]) -> tuple[Params, tuple[str, ...]]:
    """Fill in what the framework cannot leave out; also return the names of the fields that were filled."""
    xp = of(state.mean).xp
    fill = {"scale": xp.ones_like, "offset": xp.zeros_like}
    missing = tuple(name for name in needs if getattr(params, name) is None)
    return params._replace(**{name: fill[name](state.mean) for name in missing}), missing


def channels(state: RunningStats, title: str) -> int:
    """Return the number of channels, or refuse statistics over several axes."""
    if len(state.mean.shape) == 1:
        return int(state.mean.shape[0])
    raise Unsupported(
        explain(
            f"{title} keeps statistics over one axis",
            got=f"statistics of shape {tuple(state.mean.shape)}",
            expected="shape (C,)",
            hint="reshaping the input so that its channel axes are one, or Flax, which has several",
        )
    )


def scalar(xp: Namespace, value: Array | float, dtype: Any = None) -> Array:
    """Return a count as a 0-d array of the library, of its own integer type unless told otherwise."""
    return xp.asarray(value, dtype=dtype)


def known_arguments(
    given: Mapping[str, Any] | None, known: Iterable[str], ignored: Iterable[str], title: str
) -> dict[str, Any]:
    """Return the arguments that matter, or say which one is not known: a silent one would be a silent difference."""
    known, ignored = set(known), set(ignored)
    strange = [name for name in given or () if name not in known | ignored]
    if strange:
        raise bad_value(
            f"an argument that {title} is not known to have",
            got=", ".join(strange),
            expected=f"any of {', '.join(sorted(known))}",
            hint="leaving it out if it changes no number",
        )
    return {name: value for name, value in (given or {}).items() if name in known}


def _differ(name: str, source: Semantics, target: Semantics) -> bool:
    return bool(getattr(source, name) != getattr(target, name))


def _versus(text: str, name: str, source: Semantics, target: Semantics) -> str:
    there, here = (_word(getattr(one, name)) for one in (source, target))
    return text.format(f"{there} there, {here} here")


def _word(value: object) -> str:
    words = {(): "biased", (1.0,): "unbiased"}
    return words.get(value, f"corrected {value}") if isinstance(value, tuple) else str(value)


def _average(semantics: Semantics) -> str:
    return "a cumulative average" if semantics.decay is None else "an exponential average"


def _evaluated(snapshot: Snapshot, target: Semantics) -> Snapshot:
    """Take out of the semantics what can be said in numbers: an eps that is raised, a scale that is not used, a
    division.
    """
    params, state, semantics = snapshot
    if semantics.fix_scale:
        params, semantics = params._replace(scale=None), semantics.but(fix_scale=False)
    if semantics.eps_floor:
        semantics = semantics.but(eps=max(semantics.eps, semantics.eps_floor), eps_floor=0.0)
    if semantics.evaluate_by == "divided" and target.evaluate_by == "running" and semantics.decay and int(state.steps):
        total = 1.0 - semantics.decay ** int(state.steps)
        state = state._replace(mean=state.mean / total, var=state.var / total)
    return Snapshot(params, state, semantics)


def _filled(target: Semantics, source: Semantics) -> Semantics:
    """Give the target the source's numbers."""
    decay = target.decay if target.decay is None or source.decay is None else source.decay
    renorm = source.renorm if target.renorm is not None else None
    return target.but(eps=source.eps, decay=decay, renorm=renorm)


def _refused(title: str, lost: Sequence[str], hint: str) -> Unsupported:
    return Unsupported(
        explain(
            f"{title} cannot go on training as the original would",
            got="; ".join(lost),
            expected="a layer of the same semantics",
            hint=hint,
        )
    )
