"""What batch norm learns and remembers, as plain tuples of arrays (so they are pytrees, too)."""

from typing import NamedTuple

from anybn._typing import Array


class Params(NamedTuple):
    """The learned affine part; either may be absent.

    Attributes
    ----------
    scale : array of shape ``param_shape`` or None
        Multiplies the normalised value ("gamma", "weight").
    offset : array of shape ``param_shape`` or None
        Is added after that ("beta", "bias").
    """

    scale: Array | None = None
    offset: Array | None = None


class Moments(NamedTuple):
    """Count, mean and sum of squared deviations of a set of values, per channel: a monoid under Chan's merge.

    Attributes
    ----------
    count : int, float or array
        How many values (or the sum of their weights): one number for all channels where the shape alone
        decides it, else an array that broadcasts to ``param_shape``.
    mean : array of shape ``param_shape``
    m2 : array of shape ``param_shape``
        Sum of ``weight * (x - mean)**2``; the biased variance is ``m2 / count``.
    """

    count: Array
    mean: Array
    m2: Array


class RunningStats(NamedTuple):
    """What evaluation uses instead of the batch, and what a preset needs to move it.

    Attributes
    ----------
    mean, var : array of shape ``param_shape``
        The running statistics, ready for use in evaluation (already debiased where the preset debiases).
    steps : int or 0-d integer array
        Number of updates so far (cumulative average, zero debias, first batch).
    skipped : int or 0-d integer array
        Number of batches that a guarded update refused because they were not finite.
    std : array or None
        Running standard deviation; batch renormalisation keeps this one and derives ``var`` from it.
    renorm_mean, renorm_std : array or None
        The statistics that batch renormalisation corrects towards.
    """

    mean: Array
    var: Array
    steps: Array | int = 0
    skipped: Array | int = 0
    std: Array | None = None
    renorm_mean: Array | None = None
    renorm_std: Array | None = None


class Gradients(NamedTuple):
    """What the backward pass returns: the gradients for the input and for the parameters that exist."""

    x: Array
    scale: Array | None
    offset: Array | None
