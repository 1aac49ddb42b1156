"""The command line: arguments and exit codes, nothing else."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bnlint import __version__
from bnlint.errors import BnlintError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 (clean), 1 (findings) or 2 (the tool could not do its job)."""
    args = _parser().parse_args(argv)
    try:
        return _check(args)
    except BnlintError as error:
        print(f"bnlint: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bnlint", description="Find batch-norm and train/eval-mode mistakes.")
    parser.add_argument("--version", action="version", version=f"bnlint {__version__}")
    parser.add_argument("paths", nargs="*", default=["."], metavar="PATH", help="files and folders (default: here)")
    return parser


def _check(args: argparse.Namespace) -> int:
    from bnlint.config import Config
    from bnlint.report.text import render
    from bnlint.rules.table import RULES
    from bnlint.run import lint

    report = lint([Path(path) for path in args.paths], Config(), RULES)
    sys.stdout.write(render(report))
    return 1 if any(finding.severity != "note" for finding in report.findings) else 0
