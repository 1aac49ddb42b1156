"""What the compiled rows take from others: memory, threads, imports, disk."""

import os
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest

import anybn
from anybn.kernels.pool import run, split

pytest.importorskip("numba")


def peak(work):
    """Bytes at the worst moment of the second call."""
    work()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((8, 16, 64, 64), 1), ((8, 64, 64, 16), -1), ((4096, 33), 1), ((40000, 3), 1), ((1, 1, 300001), 1)],
)
def test_a_training_forward_takes_one_output(shape, axis):
    """The peak of a training forward is y and a few numbers per channel, whatever the layout."""
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    channels = shape[axis]
    assert peak(lambda: anybn.batch_norm(x, training=True, axis=axis)) <= x.nbytes + 400 * channels + 40_000


def test_strided_views_are_not_copied():
    """A view that steps over numbers is walked where it lies."""
    x = np.random.default_rng(0).normal(size=(16, 8, 64, 64)).astype(np.float32)[:, :, ::2, ::2]
    assert peak(lambda: anybn.batch_norm(x, training=True)) <= x.size * 4 + 50_000


def test_importing_imports_no_compiler():
    """Neither importing anybn nor listing its rows imports numba or torch."""
    code = "import sys, anybn.kernels as k; k.rows(); sys.exit(bool({'numba', 'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_process_finds_the_compiled_code(tmp_path):
    """The second process loads what the first one compiled, and writes nothing."""
    code = "import numpy as np, anybn; anybn.batch_norm(np.ones((4, 3), np.float32), training=True)"
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    first = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")}
    assert first
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")} == first


def test_a_changed_file_is_compiled_anew(tmp_path):
    """Code that was compiled from another version of any file of the room is not used again."""
    from anybn.kernels.compiled import _stamp

    code = (
        "import numpy as np, anybn, sys; from anybn.kernels import compiled; real = compiled._stamp();"
        "compiled._stamp = lambda: (*real, ('other.py', int(sys.argv[1]), 1));"
        "anybn.batch_norm(np.ones((4, 3), np.float32), training=True)"
    )
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def index(version):
        subprocess.run([sys.executable, "-c", code, version], env=env, check=True)
        return {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbi")}

    first, same, other = index("1"), index("1"), index("2")
    assert first == same
    assert all(other[name] != first[name] for name in first)
    assert {name for name, _, _ in _stamp()} >= {"simd.py", "numba_rows.py"}


def test_without_any_writable_directory_it_still_compiles():
    """Where Numba finds nowhere to keep code (here: a function without a file), it compiles for this process."""
    from anybn.kernels.compiled import compile_cached

    namespace: dict[str, object] = {}
    exec("def twice(x):\n    return 2 * x", namespace)
    assert compile_cached(namespace["twice"])(21) == 42


def test_many_threads_may_call_at_once():
    """Calls from several Python threads do not disturb each other."""
    x = np.random.default_rng(0).normal(size=(16, 32, 80, 80)).astype(np.float32)
    wanted, _ = anybn.batch_norm(x, training=True)
    found = [None] * 6

    def call(i):
        found[i] = anybn.batch_norm(x, training=True)[0]

    threads = [threading.Thread(target=call, args=(i,)) for i in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for y in found:
        np.testing.assert_array_equal(y, wanted)


def test_the_pool_raises_what_a_task_raises():
    """An exception in any task reaches the caller, after all tasks have ended."""
    done = []

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run([lambda: done.append(1), fail, lambda: done.append(2)])
    assert sorted(done) == [1, 2]


def test_results_come_in_the_order_of_the_tasks():
    """Whoever does a task; also with more tasks than threads, and from several callers at once."""
    found = {}

    def call(k):
        found[k] = run([lambda i=i: (k, i) for i in range(50)])

    callers = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == {k: [(k, i) for i in range(50)] for k in range(4)}


def test_an_interrupted_caller_waits_for_what_has_begun_only():
    """Tasks that nobody has begun are dropped; none is left at work in memory that the caller gives up."""
    began, go = threading.Event(), threading.Event()
    done = []

    def slow():
        began.set()
        go.wait(10)
        done.append("slow")

    def interrupt():
        began.wait(10)
        threading.Timer(0.1, go.set).start()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([slow, interrupt])
    assert done == ["slow"]


FREED = """
import numpy as np
import anybn

rng = np.random.default_rng(0)
for shape in ((1000, 3), (300, 16), (100, 70), (20, 3, 8, 8), (4, 64, 14, 14)):
    x, dy = rng.normal(size=(2, *shape)).astype(np.float32)
    params = anybn.Params(np.ones(shape[1], np.float32), np.zeros(shape[1], np.float32))
    found = []
    for kernel in ("numba", "portable"):
        with anybn.kernels.use(kernel):
            y, state = anybn.batch_norm(x, params, anybn.RunningStats(np.zeros(shape[1], np.float32), np.ones(shape[1], np.float32)), training=True)
            found.append((y, *state[:2], anybn.batch_norm(x, params, state, training=False)[0]))
            found[-1] += tuple(anybn.batch_norm_backward(dy, x, params, training=True))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
"""


def test_no_memory_is_read_after_it_was_freed():
    """Python's debugging allocator overwrites what is freed: results stay what they are."""
    environment = os.environ | {"PYTHONMALLOC": "debug"}
    done = subprocess.run(
        [sys.executable, "-c", FREED], capture_output=True, text=True, timeout=240, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]


FORKS = """
import os
import numpy as np
import anybn

x = np.random.default_rng(0).normal(size=(8, 32, 100, 100)).astype(np.float32)
wanted, _ = anybn.batch_norm(x, training=True)
child = os.fork()
y, _ = anybn.batch_norm(x, training=True)
same = np.array_equal(y, wanted)
if child == 0:
    os._exit(0 if same else 1)
assert same
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_computes():
    """A child process made by fork, after the threads were started, computes too, and so does its parent.

    In an interpreter of its own: JAX, if it is loaded, objects to any fork.
    """
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("total", "parts"), [(0, 3), (1, 4), (7, 3), (10, 10), (5, 1)])
def test_split_covers_everything_once(total, parts):
    """Ranges are neighbours, cover all, and none is empty (but for nothing at all)."""
    ranges = split(total, parts)
    assert [i for low, high in ranges for i in range(low, high)] == list(range(total))
    assert total == 0 or all(high > low for low, high in ranges)
