"""Errors that end a run with a sentence instead of a traceback (exit code 2)."""


class BnlintError(Exception):
    """The tool could not do its job; the message says what was got, what was expected and what to try."""


class ConfigError(BnlintError):
    """The configuration or the command line cannot be used as it is."""
