"""Errors of `anybn`: every one is an `AnybnError` and says what it got, what it expected, and what to try."""


class AnybnError(Exception):
    """Base class of all errors raised on purpose by `anybn`."""


class BadValue(AnybnError, ValueError):
    """A value that cannot be used: a wrong axis, a shape that does not match, an eps below zero."""


class BadType(AnybnError, TypeError):
    """An argument of the wrong type: integer or complex data, a list where an array is needed."""


class Unsupported(AnybnError, NotImplementedError):
    """Something that has a meaning but cannot be carried over or computed here."""


class MissingDependency(AnybnError, ImportError):
    """An optional package is needed for this and is not installed."""


class SyncError(AnybnError, RuntimeError):
    """Processes that share a batch norm disagree, or one of them is gone."""


def explain(what: str, *, got: object, expected: object, hint: str) -> str:
    """Return the one form of message used everywhere: what is wrong, got, expected, try."""
    return f"{what}: got {got}; expected {expected}; try {hint}"


def bad_value(what: str, *, got: object, expected: object, hint: str) -> BadValue:
    """Return (not raise) a `BadValue` whose message has all four parts."""
    return BadValue(explain(what, got=got, expected=expected, hint=hint))


def bad_type(what: str, *, got: object, expected: object, hint: str) -> BadType:
    """Return (not raise) a `BadType` whose message has all four parts."""
    return BadType(explain(what, got=got, expected=expected, hint=hint))
