"""Programs that are too large are cut by their folders, and nothing is lost or looked at twice."""

import pytest

from bnlint.facts.parts import parts

PATHS = ("a/one.py", "a/two.py", "a/in/three.py", "b/four.py", "five.py", "a/in/six.py")
EACH = dict.fromkeys(range(len(PATHS)), 10)


@pytest.mark.parametrize(
    ("most", "wanted"),
    [
        (60, [(0, 1, 2, 3, 4, 5)]),
        (40, [(0, 1, 2, 5), (3,), (4,)]),
        (20, [(0, 1), (2, 5), (3,), (4,)]),
        (10, [(0, 1), (2, 5), (3,), (4,)]),
    ],
)
def test_cut_by_folders_until_it_is_small(most, wanted):
    """The files of one folder stay together."""
    assert list(parts((0, 1, 2, 3, 4, 5), PATHS, EACH, most)) == wanted


def test_absolute_paths_and_one_file():
    """What all paths share is not a folder to cut by."""
    paths = ("/p/q/a/x.py", "/p/q/b/y.py")
    assert list(parts((0, 1), paths, {0: 9, 1: 9}, 10)) == [(0,), (1,)]
    assert list(parts((1,), paths, {1: 99}, 10)) == [(1,)]


def test_a_cut_program_is_still_linted(tmp_path, monkeypatch):
    """What one file says by itself is found; what another part says is unknown."""
    from bnlint import run
    from bnlint.cache import Cache
    from bnlint.config import Config
    from bnlint.facts import parts as room
    from bnlint.facts.collect import read_all
    from bnlint.rules.table import RULES
    from bnlint.source import discover

    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.py").write_text(
            f"import torch\nimport {other}.train\nnet = torch.nn.BatchNorm2d(3)\nnet.eval\n"
        )
    config = Config()
    texts = read_all(list(discover([tmp_path], config.selection)), size_limit=config.size_limit)
    found = {}
    for most in (room.MOST, 10):
        monkeypatch.setattr(run, "parts", lambda group, paths, sizes, most=most: parts(group, paths, sizes, most))
        analysis = run.analyse(texts, config, RULES, cache=Cache(tmp_path / str(most)))
        found[most] = sorted((one.code, one.place.path) for one in analysis.found)
    assert [code for code, _ in found[10]] == ["BN103", "BN103"]
    assert found[10] == found[room.MOST]
