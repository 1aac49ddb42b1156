"""Processes that die, hang or raise cost one task; files of every broken sort cost nothing but a note."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bnlint.config import Config
from bnlint.facts import pool
from bnlint.facts.collect import collect, read_all
from bnlint.facts.deep import in_deep_thread
from bnlint.judge import judge
from bnlint.project.link import link
from bnlint.rules._base import Example, Meta, rule
from bnlint.rules.table import RULES
from bnlint.run import lint_sources
from bnlint.source import Source


def work(task):
    """A task of every temper."""
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "hang":
        time.sleep(60)
    if task == "raise":
        raise ValueError("no")
    if task == "deep":
        raise RecursionError
    return task * 2


def test_each_task_has_its_own_fate():
    """The good ones are done, whoever they shared a process with."""
    tasks = ["a", "die", "b", "raise", "c", "hang", "d", "deep", "e", "die", "f"]
    done = {o.number: o for o in pool.run(work, [(task,) for task in tasks], jobs=2, limit=1.5)}
    assert len(done) == len(tasks)
    assert [done[n].result for n in range(len(tasks)) if tasks[n] in "abcdef"] == ["aa", "bb", "cc", "dd", "ee", "ff"]
    assert "ended its process" in done[1].failure
    assert "ValueError: no" in done[3].failure
    assert "longer than 1.5 seconds" in done[5].failure
    assert "too deeply" in done[7].failure
    assert "ended its process" in done[9].failure


def test_large_tasks_and_answers_do_not_block_each_other():
    """Pipes are small; both ends may want to write at once."""
    big = "x" * 3_000_000
    done = list(pool.run(work, [(big,)] * 8, jobs=2, limit=60))
    assert [len(outcome.result) for outcome in done] == [6_000_000] * 8


def test_no_process_is_left_behind():
    """Also when the caller stops asking."""
    running = pool.run(work, [("a",)] * 50, jobs=2, limit=10)
    next(running)
    running.close()
    import multiprocessing

    assert multiprocessing.active_children() == []


def test_a_worker_does_not_outlive_who_asked(tmp_path):
    """A run that is killed (out of memory, a time limit of CI) leaves no process at work on its last task."""
    program = (
        "import os, pathlib, sys, time\n"
        "from bnlint.facts import pool\n"
        "def work(folder):\n"
        "    pathlib.Path(folder, str(os.getpid())).touch()\n"
        "    while True:\n"
        "        pass\n"
        "if __name__ == '__main__':\n"
        "    list(pool.run(work, [(sys.argv[1],)], jobs=1, limit=600))\n"
    )
    (tmp_path / "program.py").write_text(program)
    started = tmp_path / "started"
    started.mkdir()
    run = subprocess.Popen([sys.executable, tmp_path / "program.py", started])
    worker = int(_soon(lambda: next(started.iterdir(), None)).name)
    run.kill()
    run.wait()
    assert _soon(lambda: not _alive(worker))


def _soon(ask):
    """The answer, once there is one."""
    end = time.monotonic() + 30
    while not (answer := ask()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return answer


def _alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_deep_thread_gives_back_results_and_errors():
    """And puts the recursion limit back."""
    before = sys.getrecursionlimit()
    assert in_deep_thread(len, "abc") == 3
    with pytest.raises(ZeroDivisionError):
        in_deep_thread(divmod, 1, 0)
    assert sys.getrecursionlimit() == before


DEEP = {
    "parentheses": "(" * 3000 + ")" * 3000,
    "lists": "[" * 90 + "]" * 90,
    "calls": "f" + "()" * 3000,
    "attributes": "a" + ".b" * 3000,
    "sums": "a" + "+b" * 5000,
    "minus": "-" * 3000 + "1",
    "strings": "'a' " * 5000,
    "elifs": "if a: pass\n" + "elif b: pass\n" * 3000,
    "lambdas": "lambda: " * 3000 + "1",
    "powers": "**".join("a" * 3000),
}
BROKEN = {
    "python2.py": b"import torch\nprint 'x'\nmodel.eval\n",
    "async.py": b"import torch\nf(async=True, training=1)\nmodel.eval\n",
    "bom.py": b"\xef\xbb\xbfimport torch\nmodel.eval\n",
    "latin1.py": b"# coding: latin-1\nimport torch\nx = '\xe9'\nmodel.eval\n",
    "not_utf8.py": b"import torch\nx = '\xe9'\nmodel.eval\n",
    "klingon.py": b"# coding: klingon\nimport torch\nmodel.eval\n",
    "utf16.py": "import torch\nmodel.eval\n".encode("utf-16"),
    "nul.py": b"import torch\nmodel.eval\0\n",
    "tabs.py": b"import torch\nif x:\n\ta\n        model.eval\n",
    "formfeed.py": b"import torch\n\x0c\nmodel.eval\n",
    "mac.py": b"import torch\rmodel.eval\r",
    "unterminated.py": b"import torch\nmodel.eval\nx = '''\n",
    "surrogate.py": b"import torch\nx = '\\ud800'\nmodel.eval\n",
    "digits.py": b"import torch\nmodel.eval\nx = " + b"1" * 10_000 + b"\n",
    "large.py": b"import torch\nmodel.eval\n" + b"x = 1\n" * 900_000,
    "empty.py": b"",
    "dir.py/a.py": b"import torch\nmodel.eval\n",
    **{f"deep_{name}.py": f"import torch\nmodel.eval\n{text}\n".encode() for name, text in DEEP.items()},
}


@pytest.mark.slow
def test_a_folder_full_of_broken_files_is_linted_to_its_end(tmp_path):
    """One note at most for each, and the good file among them is reported."""
    for name, data in BROKEN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nothing.py")
    secret = tmp_path / "secret.py"
    secret.write_bytes(b"import torch\nmodel.eval\n")
    secret.chmod(0)
    command = [sys.executable, "-m", "bnlint", "--no-cache", "--format", "concise", "--time-limit", "20", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    notes = [line.split(":")[0] for line in lines if "BN901" in line]
    assert len(notes) == len(set(notes))
    found = {line.split(":")[0] for line in lines if "BN103" in line}
    assert {
        "async.py",
        "bom.py",
        "latin1.py",
        "formfeed.py",
        "mac.py",
        "surrogate.py",
        "dir.py/a.py",
        "deep_sums.py",
        "python2.py",
    } <= found
    assert {
        "not_utf8.py",
        "klingon.py",
        "utf16.py",
        "nul.py",
        "unterminated.py",
        "large.py",
    } <= {*notes, "utf16.py"}
    assert "async.py" not in notes  # right until Python 3.7, and read as it was meant


def _rule(code, check):
    meta = Meta(code=code, name="own", severity="error", confidence="high", persona="regular", since="1", frameworks=(),
                says="found", why="A test.", examples=(Example(bad="x", good="y"),))  # fmt: skip
    return rule(meta)(lambda file, project: check(file, meta))


def _raise(file, meta):
    raise KeyError("oops")
    yield


def _hang(file, meta):
    if "bad" in file.path:
        time.sleep(60)
    yield meta.finding(file.path, 0)


def _die(file, meta):
    if "bad" in file.path:
        os.kill(os.getpid(), signal.SIGKILL)
    yield meta.finding(file.path, 0)


SOURCES = [Source(name, data=b"import torch\nmodel.eval()\n") for name in ("bad.py", "good.py", "other.py")]


@pytest.mark.parametrize(("check", "reason"), [(_hang, "longer than"), (_die, "ended its process")])
def test_a_rule_that_hangs_or_dies_costs_one_file(check, reason):
    """The other files of its task are judged again without it."""
    texts = read_all(SOURCES, size_limit=10**6)
    facts = collect(texts, jobs=1)
    found = judge(list(zip(facts, texts, strict=True)), link(facts), [_rule("XX001", check)], jobs=1, limit=0.5)
    assert [(f.place.path, f.code) for f in found] == [("bad.py", "BN901"), ("good.py", "XX001"), ("other.py", "XX001")]
    assert reason in found[0].says


def test_a_rule_that_raises_is_said_and_the_others_go_on():
    """A bug in one rule must not hide what the others know."""
    report = lint_sources(SOURCES[:1], Config(), (_rule("XX001", _raise), *RULES))
    assert [(f.code, "KeyError" in f.says) for f in report.findings] == [("BN901", True)]


def _until_it_has_children(run):
    """Wait until the work is shared out: an interrupt while Python itself starts is Python's to report."""
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    while children.exists() and run.poll() is None and not children.read_text():
        time.sleep(0.05)
    time.sleep(1)


def test_interrupting_ends_quietly(tmp_path):
    """Ctrl-C: one line, no traceback, exit code 130, no processes."""
    for number in range(400):
        (tmp_path / f"a{number}.py").write_text("import torch\nmodel.eval()\n" + "x = [f(1, a=2), {3: 4}]\n" * 800)
    command = [sys.executable, "-m", "bnlint", "--no-cache", "."]
    run = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    _until_it_has_children(run)
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 130
    assert said == "bnlint: interrupted\n"


def _hang_all(file, meta):
    time.sleep(60)
    yield meta.finding(file.path, 0)


def test_what_hangs_for_every_file_is_not_waited_for_with_each():
    """An analysis of the whole program that never ends: some files tell that, the rest gets the same note at once."""
    sources = [Source(f"f{number}.py", data=b"import torch\nmodel.eval()\n") for number in range(40)]
    texts = read_all(sources, size_limit=10**6)
    facts = collect(texts, jobs=1)
    start = time.monotonic()
    files = list(zip(facts, texts, strict=True))
    found = judge(files, link(facts), [_rule("XX001", _hang_all)], jobs=2, limit=0.5)
    assert time.monotonic() - start < 15
    assert [f.code for f in found] == ["BN901"] * 40
    assert all("longer than" in f.says for f in found)


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="the system does not tell who waits for a processor"
)
def test_time_without_a_processor_is_told_from_time():
    """Two processes that share one processor wait for it half of the time; one that sleeps does not wait."""
    spin = "import os, time\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nend = time.time() + 60\nwhile time.time() < end: pass"
    runs = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(2)]
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    time.sleep(3)
    waited = [pool.starved(run.pid) for run in (*runs, sleeper)]
    for run in (*runs, sleeper):
        run.kill()
        run.wait()
    assert sum(waited[:2]) > 1
    assert waited[2] < waited[0] + waited[1]
    assert pool.starved(None) == 0
