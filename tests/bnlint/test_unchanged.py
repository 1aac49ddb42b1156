"""Edits that change no fact: nothing is looked at again, and what is found is what a run without a cache finds."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bnlint
from bnlint import memory
from bnlint.cache import Cache
from bnlint.config import Config
from bnlint.facts.collect import read_all
from bnlint.frameworks.comments import speaks
from bnlint.rules.table import RULES
from bnlint.run import analyse
from bnlint.source import Source

FILES = {
    "pkg/__init__.py": "from .nets import *\n",
    "pkg/nets.py": '''"""Nets."""
import torch
import torch.nn as nn


def make(width, momentum=0.99):
    return nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width, momentum=momentum), nn.Dropout(0.5))
''',
    "pkg/train.py": """import torch
from pkg import make


def train(net, loader, optimizer):
    net.train()
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()


def evaluate(net, val_loader):
    correct = 0
    with torch.no_grad():
        for x, y in val_loader:
            correct += (net(x).argmax(1) == y).sum()
    return correct


def main(train_loader, val_loader):
    net = make(3)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for epoch in range(3):
        train(net, train_loader, optimizer)
        print(evaluate(net, val_loader))
""",
    "alone.py": "import torch\nother.eval\n",
    "plain.py": "x = 1\n",
}
REMARKS = (
    "# a remark",
    "# in training mode on purpose",
    "# momentum is deliberate",
    "",
    "    # keep it in eval mode",
    "#: 1",
)
CODE = ("import torch", "net = None", "make = print", "from pkg.nets import make", "momentum = 0.1", "other.eval()")
SWAPS = (
    ("0.99", "0.1"),
    ("net.train()", "net.eval()"),
    ("make", "build"),
    ("correct = 0", "net.eval()"),
    ("BatchNorm1d", "Identity"),
    ("3)", "3.0)"),
    ("import *", "import make"),
)


def texts_of(files):
    """The files as they are read."""
    return read_all([Source(path, data=text.encode()) for path, text in sorted(files.items())], size_limit=10**6)


def found(files, folder=None):
    """What an analysis finds, with the cache in `folder`."""
    cache = Cache(folder) if folder is not None else None
    return sorted(analyse(texts_of(files), Config(jobs=-1), RULES, cache=cache).found)


def with_line(text, number, line):
    """A text with one more line."""
    lines = text.splitlines()
    lines.insert(number % (len(lines) + 1), line)
    return "\n".join(lines) + "\n"


EDITS = st.one_of(
    st.tuples(st.just("line"), st.integers(0, 99), st.sampled_from(REMARKS)),
    st.tuples(st.just("line"), st.integers(0, 99), st.sampled_from(CODE)),
    st.tuples(st.just("swap"), st.just(0), st.sampled_from(SWAPS)),
    st.tuples(st.just("gone"), st.just(0), st.none()),
    st.tuples(st.just("back"), st.just(0), st.none()),
)


def edited(files, path, edit):
    """The files after an edit of one of them."""
    kind, where, what = edit
    text = files.get(path)
    if kind == "gone" or (kind == "back" and text is None):
        return {**{p: t for p, t in files.items() if p != path}, **({path: FILES[path]} if text is None else {})}
    if text is None:
        return files
    return {**files, path: with_line(text, where, what) if kind == "line" else text.replace(*(what or ("", "")))}


@given(st.lists(st.tuples(st.sampled_from(sorted(FILES)), EDITS), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_after_any_edit_the_cache_finds_what_is_found_without_it(tmp_path_factory, edits):
    """Lines, comments, renames, other defaults, files that go and come back, one after another over the same cache."""
    folder = tmp_path_factory.mktemp("cache")
    files = FILES
    found(files, folder)
    for path, edit in edits:
        files = edited(files, path, edit)
        assert found(files, folder) == found(files)


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_remark_moves_the_findings_and_nothing_is_looked_at_again(tmp_path, monkeypatch, path):
    """Wherever it stands; findings below it are a line further down."""
    before = found(FILES, tmp_path)
    assert {finding.code for finding in before} == {"BN101", "BN103", "BN401", "BN403"}
    files = {**FILES, path: "# a remark\n\n" + FILES[path]}
    expected = found(files)
    monkeypatch.setattr("bnlint.together.look", None)
    after = found(files, tmp_path)
    assert after == expected
    lines = {(f.code, f.place.path): f.place.span.line for f in before}
    moved = {(f.code, f.place.path): f.place.span.line - lines[f.code, f.place.path] for f in after}
    assert moved == {key: 2 * (key[1] == path) for key in lines}


def test_a_remark_that_rules_listen_to_is_a_change(tmp_path):
    """Training mode that is said to be meant is not reported."""
    assert "BN101" in {finding.code for finding in found(FILES, tmp_path)}
    files = {**FILES, "pkg/train.py": FILES["pkg/train.py"].replace("    correct", "    # mc dropout\n    correct", 1)}
    after = found(files, tmp_path)
    assert "BN101" not in {finding.code for finding in after}
    assert after == found(files)


@pytest.mark.parametrize(("old", "new"), [("True", "1"), ("1", "1.0"), ("0.0", "-0.0"), ("'a'", "b'a'")])
def test_what_python_calls_equal_may_be_another_fact(tmp_path, monkeypatch, old, new):
    """``training=1`` and ``training=True`` are told apart."""
    text = "import torch\nother.eval\nx = net(training={})\n"
    found({"a.py": text.format(old)}, tmp_path)
    looked = []
    look = analyse.__globals__["_look"]
    monkeypatch.setattr("bnlint.run._look", lambda *some: looked.append(1) or look(*some))
    found({"a.py": text.format(new)}, tmp_path)
    assert looked == [1]


@pytest.mark.parametrize("damage", [b"", b"0\n[]\n", b"\xff" * 99])
def test_a_damaged_memory_is_none(tmp_path, monkeypatch, damage):
    """Cut off, empty, or other bytes: everything is looked at, and the answer is right."""
    keys = []
    write = memory.remember
    monkeypatch.setattr("bnlint.run.remember", lambda cache, key, *some: keys.append(key) or write(cache, key, *some))
    found(FILES, tmp_path)
    (entry,) = (file for file in tmp_path.glob("*/*.bnlint") if file.stem == keys[0])
    good = entry.read_bytes()
    for bad in (damage, good[: len(good) // 2], good[:-20] + b"x" * 20):
        entry.write_bytes(bad)
        files = {**FILES, "pkg/train.py": "# a remark\n" + FILES["pkg/train.py"]}
        assert found(files, tmp_path) == found(files)


def test_who_listens_to_comments_is_known():
    """Each place that reads comments reads them by words of :mod:`bnlint.frameworks.comments`."""
    root = Path(bnlint.__file__).parent
    listens = {
        file.relative_to(root).as_posix()
        for folder in ("rules", "project")
        for file in (root / folder).rglob("*.py")
        if re.search(r"\.comments\b", file.read_text("utf-8"))
    }
    assert listens <= {
        "project/torch/functional.py",
        "project/torch/judges.py",
        "project/torch/surroundings.py",
        "rules/setup/bn401_momentum.py",
    }
    heard = ("mc dropout", "keep it in eval mode", "on purpose", "intended: momentum")
    assert all(speaks(text) for text in heard)
    assert not speaks("a remark")
    assert speaks("Our Own word", ("own word",))
