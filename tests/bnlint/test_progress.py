"""The progress bar: only where somebody looks, only when it takes long, and gone at the end."""

from bnlint.commands import progress as module
from bnlint.facts import pool


def double(x):
    return 2 * x


def _run():
    return [o.result for o in pool.run(double, [(n,) for n in range(5)], jobs=1, limit=10)]


def test_a_long_run_shows_a_bar_and_clears_it(capsys, monkeypatch):
    """The last thing written is an empty line."""
    monkeypatch.setattr(module, "_PATIENCE", -1)
    with module.progress(on=True):
        _run()
    said = capsys.readouterr().err
    assert "[##############################] 5 of 5" in said
    assert said.endswith("\r\x1b[K")
    assert pool.watchers == []


def test_a_short_run_shows_nothing(capsys):
    """Nor does one whose output nobody watches."""
    with module.progress(on=True):
        _run()
    monkey = capsys.readouterr().err
    with module.progress(on=False):
        _run()
    assert monkey + capsys.readouterr().err == ""
