"""Compiling ahead: afterwards no call compiles, and who cannot be served is told why."""

import os
import subprocess
import sys

import pytest

from anybn.kernels import compile as ahead

pytest.importorskip("numba")

CALLS = """
import sys
import numpy as np, anybn
from numba.core import event

class Count(event.Listener):
    def on_start(self, what): sys.exit("compiled " + str(what.data["dispatcher"]))
    def on_end(self, what): pass

event.register("numba:compile", Count())
wide = np.random.default_rng(0).normal(size=(40, 8, 6)).astype(np.float32)
wide[0, 0, 0] = np.inf
flat = np.ascontiguousarray(wide.reshape(40, 48))
for x in (wide[1:], wide, wide[:, :, ::2], flat[1:], flat, flat[:, ::2], flat[:, :5]):
    channels = x.shape[1]
    params = anybn.Params(np.ones(channels, np.float32), np.zeros(channels, np.float32))
    state = anybn.RunningStats(np.zeros(channels, np.float32), np.ones(channels, np.float32))
    for training in (True, False):
        for _ in range(2):
            anybn.batch_norm(x, params, state, training=training)
            anybn.batch_norm_backward(x, x, params, None if training else state, training=training)
"""


def run(folder, *command):
    env = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    return subprocess.run([sys.executable, *command], env=env, capture_output=True, text=True, check=False)


def test_what_was_compiled_ahead_is_compiled_no_more(tmp_path):
    """After the command has run, no layout, no stride and no number that is not finite lets a call compile."""
    done = run(tmp_path, "-m", "anybn.kernels.compile", "float32")
    assert done.returncode == 0, done.stderr
    assert f"kept in {tmp_path}" in done.stdout
    assert "float32 1/" in done.stdout
    called = run(tmp_path, "-c", CALLS)
    assert called.returncode == 0, called.stderr


def test_an_unknown_dtype_is_named(capsys):
    """A dtype without kernels is named, with those that have some."""
    assert ahead.main(["int8", "float32"]) == 1
    assert (
        "no kernels for dtype int8; there are some for float32, float64, float16, bfloat16" in capsys.readouterr().err
    )


def test_without_numba_it_says_what_to_install(capsys, monkeypatch):
    """Where the kernels cannot work, the reason is theirs."""
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(ahead.numba_cpu, "missing", ahead.numba_cpu.missing.__wrapped__)
    assert ahead.main([]) == 1
    assert "anybn: numba" in capsys.readouterr().err
