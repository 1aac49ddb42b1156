"""Let the tests of this folder import the programs and helpers that lie next to them (importlib mode adds no folder to the path).

What the programs' processes would all compile at once is compiled before, by one.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def kernels_are_compiled():
    """Compile ahead, as a cluster would; where everything is in Numba's cache already, this only loads it."""
    if importlib.util.find_spec("numba") is not None:
        subprocess.run([sys.executable, "-m", "anybn.kernels.compile", "float32", "float64"], check=True)
