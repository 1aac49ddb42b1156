"""``python -m bnlint``."""

import sys

from bnlint.cli import main

if __name__ == "__main__":
    sys.exit(main())
