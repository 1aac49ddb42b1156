"""Let the tests of this folder import the programs and helpers that lie next to them (importlib mode adds no folder to the path)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
