"""A `Device` for the CUDA loops that is this machine's processor: the same source, launched alike, thread by thread.

It finds wrong indices, lost tails, missing `__syncthreads` that a value depends on, and wrong arithmetic. It does not find races
between threads that run at the same time, nor what only a real compiler or chip does.
"""

import ctypes
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np

from anybn.kernels.cuda_launch import SOURCE, options

COMPILER = shutil.which("g++")
HEADER = Path(__file__).with_name("cuda_host.h")


class Host:
    """Compiles each element type and vector size once."""

    def __init__(self, folder, processors=3):
        self.processors, self._folder = processors, Path(folder)
        self.launched = set()

    def empty(self, count, kind):
        """Memory that holds NaN: what a loop forgets to write is seen."""
        return np.full(count, np.nan, kind)

    def address(self, array):
        """Where an array's first number lies."""
        return int(array.ctypes.data)

    def run(self, dtype, vector, name, grid, block, arguments):
        """Launch a loop on the processor."""
        self.launched.add((dtype, vector, name))
        grid, block = ((ctypes.c_uint * 2)(*sizes, *[1] * (2 - len(sizes))) for sizes in (grid, block))
        slots = np.array([one.view(np.uint64) for one in arguments], np.uint64)
        getattr(self.library(dtype, vector), f"host_{name}")(grid, block, ctypes.c_void_p(slots.ctypes.data))

    @cache  # noqa: B019  (lives as long as the tests)
    def library(self, dtype, vector):
        """The compiled source."""
        loops = re.findall(r'extern "C" __global__ void (\w+)\(', SOURCE.read_text("utf-8"))
        made = self._folder / f"{dtype}-{vector}"
        text = [f'#include "{HEADER}"', f'#include "{SOURCE}"', *(f"HOST({name})" for name in loops)]
        made.with_suffix(".cpp").write_text("\n".join(text) + "\n", "utf-8")
        flags = [one for one in options(dtype, vector) if not one.startswith("-DWITH")]
        command = [COMPILER, "-O1", "-mf16c", "-ffp-contract=off", "-Wno-unknown-pragmas", "-fPIC", "-shared", *flags]
        command += ["-o", str(made.with_suffix(".so")), str(made.with_suffix(".cpp"))]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return ctypes.CDLL(str(made.with_suffix(".so")))
