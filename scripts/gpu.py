"""Everything that needs a GPU, by one command: the tests, then the benchmark, which writes benchmarks/results/<device>.json.

Needs an image with CUDA, CuPy and torch, and pytest and hypothesis; nothing else. Under ten minutes.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ("tests/anybn/test_kernels_cuda.py", "tests/anybn/test_operation.py")


def main() -> int:
    """Run the tests, then the benchmark; fail if either fails, or if there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each case and operation")
    chosen = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    try:
        import cupy

        device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    except Exception as error:
        print(f"no usable GPU: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    failed = 0
    if not chosen.no_tests:
        command = [sys.executable, "-m", "pytest", "-q", "-k", "cupy or torch_on_a_gpu or compiles", *TESTS]
        failed = subprocess.run(command, cwd=ROOT, check=False).returncode
    from benchmarks import gpu

    results = gpu.measure(device, chosen.seconds)
    path = ROOT / "benchmarks" / "results" / (re.sub(r"\W+", "-", device.lower()) + ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(f"wrote {path}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
