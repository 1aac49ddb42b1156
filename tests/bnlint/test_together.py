"""Groups of files in processes of their own: the same findings as in one process, however the work is shared out."""

import os
import re
import signal
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnlint.cache import Cache
from bnlint.config import Config
from bnlint.facts.collect import read_all
from bnlint.frameworks.triggers import COMMON_TRIGGERS, TRIGGERS
from bnlint.rules._base import Example, Meta, rule
from bnlint.rules.table import RULES
from bnlint.run import analyse
from bnlint.source import Source
from bnlint.together import share_out

NET = "import torch.nn as nn\nfrom .parts import bn\nnet = nn.Sequential(bn(3, momentum=0.99))\n"
PARTS = "import torch.nn as nn\nbn = nn.BatchNorm1d\n"
USE = "import torch\nfrom {0}.net import net\nwith torch.no_grad():\n    net.eval\n"


def project(count):
    """Folders that do not know each other, each with three files that do."""
    files = {}
    for number in range(count):
        name = f"p{number}"
        files |= {f"{name}/__init__.py": "", f"{name}/net.py": NET, f"{name}/parts.py": PARTS}
        files |= {f"{name}/use.py": USE.format(name) + f"x = {number}\n"}
    return files


def texts_of(files):
    """The files as they are read."""
    return read_all([Source(path, data=text.encode()) for path, text in sorted(files.items())], size_limit=10**6)


def findings(files, rules=RULES, cache=None, **config):
    """What an analysis without kept facts finds."""
    return sorted(analyse(texts_of(files), Config(**config), rules, cache=cache or Cache(None)).found)


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_the_findings_do_not_depend_on_the_processes(jobs):
    """One process, several, or none at all."""
    files = project(4)
    alone = sorted(analyse(texts_of(files), Config(jobs=-1), RULES).found)
    assert {finding.code for finding in alone} == {"BN103", "BN401"}
    assert len(alone) == 8
    assert findings(files, jobs=jobs) == alone


def _rule(check):
    meta = Meta(code="XX001", name="own", severity="error", confidence="high", persona="regular", since="1", frameworks=(),
                says="found", why="A test.", examples=(Example(bad="x", good="y"),))  # fmt: skip
    return rule(meta)(lambda file, project: check(file, meta))


def _die(file, meta):
    if file.path == "p0/use.py":
        os.kill(os.getpid(), signal.SIGKILL)
    if file.body:
        yield meta.finding(file.path, 0)


def _hang(file, meta):
    if file.path == "p0/use.py":
        time.sleep(60)
    if file.body:
        yield meta.finding(file.path, 0)


@pytest.mark.parametrize("check", [_die, _hang])
def test_a_group_that_brings_its_process_down_is_looked_at_file_by_file(check):
    """The guilty file gets a note, its neighbours and the other groups their findings."""
    found = findings(project(2), (_rule(check),), jobs=2, time_limit=0.4)
    assert [f.place.path for f in found if f.code == "BN901"] == ["p0/use.py"]
    assert {f.place.path for f in found if f.code == "XX001"} == {p for p, text in project(2).items() if text} - {
        "p0/use.py"
    }


def _sized(*sizes):
    return read_all([Source(f"{n}.py", data=b"#" * size) for n, size in enumerate(sizes)], size_limit=10**9)


def test_large_groups_come_first_and_small_ones_share_a_task():
    """No process waits for one that began its largest task last."""
    shares = share_out(_sized(10, 3_000_000, 20, 2_000_000), [(0,), (1,), (2,), (3,)], jobs=2)
    assert shares.wide == []
    assert shares.tasks == [((1,),), ((3,),), ((2,), (0,))]


def test_a_group_that_is_most_of_the_work_is_cut_up():
    """Unless there is one process only, which need not send anything."""
    texts = _sized(9_000_000, 1_000_000)
    assert share_out(texts, [(0,), (1,)], jobs=2).wide == [(0,)]
    assert share_out(texts, [(0,), (1,)], jobs=1).wide == []


@pytest.mark.parametrize("word", COMMON_TRIGGERS)
def test_common_triggers_are_triggers(word):
    """The quick search says no more than the pattern, whatever stands around the word."""
    assert re.search(TRIGGERS, b"x" + word + b"x")


EDITS = (
    "bn = nn.BatchNorm2d\n",
    "bn = nn.Identity\n",
    "net.eval\n",
    "import p0.parts\n",
    "from p1.net import net as other\nother.eval\n",
    "x = 1\n",
    "",
)


@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from(EDITS)), min_size=1, max_size=3))
@settings(max_examples=12, deadline=None)
def test_a_warm_run_after_edits_finds_what_a_cold_one_finds(tmp_path_factory, edits):
    """Whatever was changed, and whoever imports it."""
    files = project(2)
    cache = Cache(tmp_path_factory.mktemp("cache"))
    findings(files, cache=cache, jobs=-1)
    for where, text in edits:
        path = sorted(files)[where]
        files[path] += text
        assert findings(files, cache=cache, jobs=-1) == findings(files, jobs=-1)
