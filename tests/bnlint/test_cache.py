"""The cache: the same answer as without it, whatever has happened to it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bnlint.cache import Cache, key
from bnlint.config import Config
from bnlint.facts.collect import read_all
from bnlint.finding import Edit, Finding, Fix, Place
from bnlint.rules.table import RULES
from bnlint.run import analyse
from bnlint.source import Source, Span

FILES = {
    "pkg/nets.py": "import torch.nn as nn\nmake = nn.BatchNorm1d\n",
    "pkg/main.py": "import torch\nfrom pkg.nets import make\nbn = make(3, momentum=0.99)\nmodel.eval\n",
    "alone.py": "import torch\nother.eval\n",
}


def found(folder, files=FILES, config=Config(jobs=-1)):  # noqa: B008 - frozen
    """What an analysis with this cache finds."""
    texts = read_all([Source(path, data=text.encode()) for path, text in files.items()], size_limit=10**6)
    return sorted(analyse(texts, config, RULES, cache=Cache(folder)).found)


def entries(folder):
    """Files of the cache."""
    return sorted(folder.glob("*/*.bnlint"))


def test_the_second_run_finds_the_same_and_takes_no_facts(tmp_path, monkeypatch):
    """Warm means that nothing is parsed."""
    first = found(tmp_path)
    assert {f.code for f in first} == {"BN103", "BN401"}
    assert first == sorted(analyse_without(FILES))
    monkeypatch.setattr("bnlint.together.look", None)
    assert found(tmp_path) == first


def analyse_without(files):
    """What is found without a cache."""
    texts = read_all([Source(path, data=text.encode()) for path, text in files.items()], size_limit=10**6)
    return analyse(texts, Config(jobs=-1), RULES).found


def test_a_change_in_an_imported_file_is_seen(tmp_path):
    """The finding in main.py goes when nets.py changes, although main.py does not."""
    found(tmp_path)
    changed = {**FILES, "pkg/nets.py": "make = print\nimport torch\nx.training\n"}
    assert found(tmp_path, changed) == sorted(analyse_without(changed))


def test_files_that_do_not_import_the_changed_one_are_not_looked_at_again(tmp_path, monkeypatch):
    """Only the group of files around a change is new."""
    found(tmp_path)
    looked: list[str] = []
    from bnlint import run

    collect = run.collect

    def watching(texts, *, wanted, **more):
        looked.extend(texts[number].source.path for number in wanted)
        return collect(texts, wanted=wanted, **more)

    monkeypatch.setattr(run, "collect", watching)
    changed = {**FILES, "alone.py": "import torch\nx = 1\nother.eval\n"}
    now = found(tmp_path, changed)
    assert looked == ["alone.py"]
    assert now == sorted(analyse_without(changed))


@pytest.mark.parametrize("damage", [b"", b"\0" * 50, b"x\n[]", None, "shorter", "longer", "swapped"])
def test_damaged_entries_are_not_there(tmp_path, damage):
    """Never trusted, never an error, and replaced by good ones."""
    first = found(tmp_path)
    for file in entries(tmp_path):
        data = file.read_bytes()
        changes = {"shorter": data[:-1], "longer": data + b" ", "swapped": data.replace(b"BN103", b"BN999")}
        file.write_bytes(changes[damage] if isinstance(damage, str) else damage if damage is not None else data[::-1])
    assert found(tmp_path) == first
    assert found(tmp_path) == first


def test_entries_are_data_not_code(tmp_path):
    """A cache that comes with a repository must not be able to do anything: JSON, in one entry with packed texts after it."""
    found(tmp_path)
    for file in entries(tmp_path):
        assert isinstance(json.loads(file.read_bytes().split(b"\n")[1]), list)


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path):
    """Such as one that is a file."""
    (tmp_path / "file").write_text("")
    assert found(tmp_path / "file") == sorted(analyse_without(FILES))


def test_another_version_has_other_keys(monkeypatch):
    """Nothing of an older linter is believed."""
    before = key(["a"])
    monkeypatch.setattr("bnlint.__version__", "99")
    assert key(["a"]) != before


def test_what_another_run_would_find_differently_is_not_kept(tmp_path):
    """A file that took too long today may be quick tomorrow."""
    from bnlint.facts.model import Problem
    from bnlint.judge import not_analysed
    from bnlint.run import _passing

    assert _passing([not_analysed("a.py", Problem("the analysis took longer than 1 seconds"))])
    assert not _passing([not_analysed("a.py", Problem("not valid Python 3"))])


def test_all_fields_of_a_finding_come_back(tmp_path):
    """Places, fixes, cells."""
    place = Place("a.py", 3, "here", Span(1, 2, 3, 4), 5)
    fix = Fix("title", "safe", (Edit(1, "call", ("a", "b")),), "lines")
    finding = Finding("BN1", "name", "error", "high", "regular", place, "says", (place, Place("b.py", 1)), fix)
    cache = Cache(tmp_path)
    cache.put("abcd", [finding])
    assert cache.get("abcd") == [finding]
    assert Cache(None).get("abcd") is None


def test_concurrent_runs_do_not_disturb_each_other(tmp_path):
    """Editors, hooks and terminals run at the same time."""
    work = tmp_path / "work"
    work.mkdir()
    for path, text in FILES.items():
        (work / path).parent.mkdir(exist_ok=True)
        (work / path).write_text(text)
    command = [sys.executable, "-m", "bnlint", "-q", "--cache-dir", str(tmp_path / "cache"), "."]
    runs = [subprocess.Popen(command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(6)]
    outputs = {run.communicate() for run in runs}
    assert len(outputs) == 1
    assert next(iter(outputs))[1] == b""
    assert not list(Path(tmp_path / "cache").glob("*/.new*"))
