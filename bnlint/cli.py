"""The command line: arguments and exit codes, nothing else. Imports are late, so that ``--version`` is quick."""

import argparse
import sys
from collections.abc import Sequence

from bnlint import __version__
from bnlint.errors import BnlintError

CLEAN, FINDINGS, FAILED, INTERRUPTED = 0, 1, 2, 130
_EPILOG = """\
exit codes: 0 nothing to report, 1 findings (or, with --diff, changes), 2 the tool could not do its job,
130 interrupted.

other commands:
  bnlint explain CODE       what a rule finds, why it matters and how to repair it
  bnlint rules              all rules, one a line
  bnlint test-rule MODULE   run the examples of your own rules
  bnlint server             language server on stdin and stdout
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and words[0] in _COMMANDS:
            return _COMMANDS[words[0]](words[1:])
        return _check(words)
    except BnlintError as error:
        print(f"bnlint: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("bnlint: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output has seen enough
        return CLEAN
    except Exception:
        import traceback

        traceback.print_exc()
        print("bnlint: this is a mistake of bnlint itself: please report it with the lines above", file=sys.stderr)
        return FAILED


def parser() -> argparse.ArgumentParser:
    """Arguments of the main command."""
    top = argparse.ArgumentParser(
        prog="bnlint",
        description="Find batch-norm and train/eval-mode mistakes in TensorFlow, Keras, PyTorch and Flax code.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("paths", nargs="*", metavar="PATH", help="files and folders, - for standard input (default: .)")
    top.add_argument("--version", action="version", version=f"bnlint {__version__}")
    _add_choice(top.add_argument_group("what to report"))
    _add_output(top.add_argument_group("how to report it"))
    _add_repair(top.add_argument_group("repair and silence"))
    _add_run(top.add_argument_group("the run"))
    return top


def _add_choice(group: "argparse._ArgumentGroup") -> None:
    for name, says in (
        ("select", "rules to run, by code or beginning of a code"),
        ("extend-select", "rules to add"),
        ("ignore", "rules not to run"),
        ("extend-ignore", "more rules not to run"),
    ):
        group.add_argument(f"--{name}", action="append", metavar="CODES", help=says)
    group.add_argument("--persona", help="regular, pedantic or auditor")
    group.add_argument("--min-severity", metavar="LEVEL", help="note, info, warning or error")
    group.add_argument("--min-confidence", metavar="LEVEL", help="low, medium or high")
    group.add_argument("--exclude", action="append", metavar="PATTERNS", help="files and folders not to read")
    group.add_argument("--extend-exclude", action="append", metavar="PATTERNS", help="more of them")
    group.add_argument("--force-exclude", action="store_true", help="exclude also files that are named")
    group.add_argument("--no-respect-gitignore", action="store_true", help="also read files that git ignores")
    group.add_argument("--no-whole-project", action="store_true", help="do not read the project around the files")


def _add_output(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--format", default="text", metavar="NAME", help="text, concise, json, sarif, github, gitlab or junit"
    )
    group.add_argument("--output-file", metavar="FILE", help="write the report there")
    group.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours (NO_COLOR is honoured)"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="one line a finding, nothing if there is none")
    group.add_argument("--statistics", action="store_true", help="count findings by rule")
    group.add_argument("--no-progress", action="store_true", help="no progress bar")


def _add_repair(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--fix", action="store_true", help="apply safe fixes")
    group.add_argument(
        "--unsafe-fixes", action="store_true", help="with --fix or --diff: also those that change training"
    )
    group.add_argument("--diff", action="store_true", help="show what --fix would change, write nothing")
    group.add_argument("--add-ignores", action="store_true", help="silence each finding with a comment")
    group.add_argument("--baseline", metavar="FILE", help="known findings, which are not reported")
    group.add_argument("--update-baseline", action="store_true", help="write today's findings into the baseline")


def _add_run(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--config", metavar="FILE", help="pyproject.toml or bnlint.toml to use")
    group.add_argument(
        "--set", action="append", metavar="KEY=VALUE", help="any key of the configuration, its value in TOML"
    )
    group.add_argument("--isolated", action="store_true", help="use no configuration file")
    group.add_argument("--strict", action="store_true", help="notes also make the exit code 1")
    group.add_argument("--exit-zero", action="store_true", help="findings do not change the exit code")
    group.add_argument("--stdin-filename", metavar="FILE", help="where the text from standard input belongs")
    group.add_argument("-j", "--jobs", type=int, metavar="N", help="number of processes")
    group.add_argument("--time-limit", type=float, metavar="SECONDS", help="for the analysis of one file")
    group.add_argument("--size-limit", type=int, metavar="BYTES", help="larger files are not analysed")
    group.add_argument("--no-cache", action="store_true", help="neither read nor keep results")
    group.add_argument("--cache-dir", metavar="FOLDER", help="where results are kept")
    group.add_argument("--show-settings", action="store_true", help="print the configuration and stop")
    group.add_argument("--show-files", action="store_true", help="print the files that would be reported on and stop")


def _check(words: Sequence[str]) -> int:
    args = parser().parse_args(words)
    _refuse(args)
    from bnlint.commands.check import check

    return check(args)


def _refuse(args: argparse.Namespace) -> None:
    """Refuse options that would be silently without effect."""
    if "" in args.paths:
        raise BnlintError("got an empty path, expected a file or a folder; write . for this one")
    if args.unsafe_fixes and not (args.fix or args.diff):
        raise BnlintError("got --unsafe-fixes alone, expected --fix or --diff with it")
    writing = [
        f"--{name}"
        for name in ("fix", "diff", "add-ignores", "update-baseline")
        if getattr(args, name.replace("-", "_"))
    ]
    if len(writing) > 1 and set(writing) != {"--fix", "--diff"}:
        raise BnlintError(f"got {' and '.join(writing)}, expected one of them: they would not see what the other wrote")
    if args.stdin_filename and "-" not in args.paths:
        raise BnlintError("got --stdin-filename without -, expected - as the path, to read standard input")


def _explain(words: Sequence[str]) -> int:
    sub = argparse.ArgumentParser(prog="bnlint explain", description="What a rule finds, why, and how to repair it.")
    sub.add_argument("codes", nargs="*", metavar="CODE", help="code or name of a rule")
    sub.add_argument(
        "--trace", metavar="FILE:LINE", help="what is believed of the networks that a line calls (PyTorch)"
    )
    args = sub.parse_args(words)
    if args.trace:
        from bnlint.commands.trace import trace

        return trace(args.trace)
    if not args.codes:
        sub.error("got nothing to explain, expected the code of a rule, such as BN101, or --trace FILE:LINE")
    from bnlint.commands.explain import explain

    return explain(args.codes)


def _rules(words: Sequence[str]) -> int:
    sub = argparse.ArgumentParser(prog="bnlint rules", description="All rules, one a line.")
    sub.parse_args(words)
    from bnlint.commands.explain import list_rules

    return list_rules()


def _test_rule(words: Sequence[str]) -> int:
    sub = argparse.ArgumentParser(
        prog="bnlint test-rule", description="Run the examples of your own rules. Imports them."
    )
    sub.add_argument("modules", nargs="+", metavar="MODULE", help="dotted name or path of a module with rules")
    args = sub.parse_args(words)
    from bnlint.commands.test_rule import test_rule

    return test_rule(args.modules)


def _server(words: Sequence[str]) -> int:
    sub = argparse.ArgumentParser(prog="bnlint server", description="Language server on stdin and stdout.")
    sub.parse_args(words)
    from bnlint.server.serve import serve

    return serve()


_COMMANDS = {"explain": _explain, "rules": _rules, "test-rule": _test_rule, "server": _server}
