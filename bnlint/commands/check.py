"""``bnlint PATH…``: look, repair if asked, report."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from bnlint.cache import Cache
from bnlint.cache import folder as cache_folder
from bnlint.commands.choices import configuration
from bnlint.commands.progress import progress
from bnlint.config import Config, settings
from bnlint.errors import BnlintError
from bnlint.extensions import with_extensions
from bnlint.facts.collect import read_all
from bnlint.facts.python_read import decoded
from bnlint.report.model import Report
from bnlint.report.table import WITH_CHANGES, Style, render
from bnlint.rules._base import Rule
from bnlint.rules.table import RULES
from bnlint.run import Analysis, analyse, report
from bnlint.source import Source, discover


def check(args: argparse.Namespace) -> int:
    """Run the main command and return its exit code."""
    paths = args.paths = args.paths or ["."]
    config = configuration(args)
    rules = with_extensions(RULES, config.rules, config.folder)
    config.check_codes([rule.meta.code for rule in rules])
    if args.show_settings:
        sys.stdout.write(settings(config))
        return 0
    sources = _sources(paths, args, config)
    if args.show_files:
        sys.stdout.writelines(f"{source.path}\n" for source in sources if source.reported)
        return 0
    fresh = args.fix or args.diff or config.rules or not config.cache
    cache = None if fresh else Cache(cache_folder(config.cache_dir, config.folder))
    with progress(on=not args.no_progress and not args.quiet and sys.stderr.isatty()):
        analysis = analyse(read_all(sources, size_limit=config.size_limit), config, rules, cache=cache)
    if args.update_baseline:
        return _update_baseline(analysis, config)
    if args.add_ignores:
        return _add_ignores(analysis, config)
    if args.fix or args.diff:
        return _repair(analysis, args, config, rules)
    made = report(analysis, config, rules)
    if args.format in WITH_CHANGES:
        from bnlint.preview import changes_of

        made = made._replace(changes=changes_of(made.findings, analysis.by_path()))
    return _say(made, args, config)


def _sources(paths: Sequence[str], args: argparse.Namespace, config: Config) -> list[Source]:
    if "-" not in paths:
        return discover([Path(path) for path in paths], config.selection, around=config.whole_project)
    if len(paths) > 1:
        raise BnlintError("got - and other paths, expected - alone")
    name = args.stdin_filename or "stdin.py"
    text = Source(name, data=sys.stdin.buffer.read())
    if not (args.stdin_filename and config.whole_project):
        return [text]
    file = Path(name)
    around = discover([], config.selection, around_of=[file])
    mine = os.path.realpath(file)
    return [text, *(source for source in around if os.path.realpath(source.file or "") != mine)]


def _update_baseline(analysis: Analysis, config: Config) -> int:
    from bnlint.shown import write_baseline

    if not config.baseline:
        raise BnlintError(
            "got --update-baseline without a baseline, expected --baseline FILE or `baseline` in the configuration"
        )
    file = config.path(config.baseline)
    count = write_baseline(analysis.found, analysis.by_path(), config, file)
    sys.stderr.write(f"{file}: {count} finding{'' if count == 1 else 's'} written\n")
    return 0


def _add_ignores(analysis: Analysis, config: Config) -> int:
    from bnlint.commands.ignores import add_ignores, by_path
    from bnlint.fixes.apply import write

    texts = analysis.by_path()
    total = 0
    for path, findings in by_path(analysis.shown(config).findings).items():
        done = add_ignores(texts[path].data, findings)
        file = texts[path].source.file
        if done.total and file is not None:
            write(file, done.data)
            total += done.total
        _notes([f"{path}: no place for a comment: {finding.code} {finding.says}" for finding in done.left])
    sys.stderr.write(f"{total} finding{'' if total == 1 else 's'} silenced\n")
    return 0


def _repair(analysis: Analysis, args: argparse.Namespace, config: Config, rules: Sequence[Rule]) -> int:
    from bnlint.fixes.apply import diff, write
    from bnlint.repair import repair

    done = repair(analysis, config, rules, "unsafe" if args.unsafe_fixes else "safe")
    pairs = done.changed(analysis)
    if args.diff:
        with _output(args) as stream:
            for old, new in pairs:
                stream.write(diff(old.source.path, decoded(old.written()), decoded(new.written())))
        _notes(done.notes)
        return 1 if pairs else 0
    for old, new in pairs:
        if old.source.file is None:
            sys.stdout.buffer.write(new.written())
        else:
            write(old.source.file, new.written())
    count = sum(done.applied.values())
    if count:
        codes = ", ".join(f"{code} × {times}" for code, times in sorted(done.applied.items()))
        sys.stderr.write(f"{count} fix{'es' if count > 1 else ''} applied: {codes}\n")
    _notes(done.notes)
    if analysis.texts and any(t.source.data is not None for t in analysis.texts):
        if not pairs:
            sys.stdout.buffer.write(analysis.texts[0].written())
        return _code(report(done.analysis, config, rules), args, config)
    return _say(report(done.analysis, config, rules), args, config)


def _notes(notes: Sequence[str]) -> None:
    for note in notes:
        sys.stderr.write(f"bnlint: {note}\n")


@contextlib.contextmanager
def _output(args: argparse.Namespace) -> Iterator[TextIO]:
    if args.output_file is None:
        yield sys.stdout
        return
    try:
        with Path(args.output_file).open("w", encoding="utf-8", newline="") as stream:
            yield stream
    except OSError as error:
        raise BnlintError(f"{args.output_file}: cannot be written: {error.strerror}") from error


def _say(made: Report, args: argparse.Namespace, config: Config) -> int:
    style = Style(colour=_colour(args), quiet=args.quiet, statistics=args.statistics)
    text = render(args.format, made, style)
    with _output(args) as stream:
        stream.write(text)
    return _code(made, args, config)


def _code(made: Report, args: argparse.Namespace, config: Config) -> int:
    if args.exit_zero:
        return 0
    return 1 if any(finding.severity != "note" or config.strict for finding in made.findings) else 0


def _colour(args: argparse.Namespace) -> bool:
    if args.color != "auto":
        return bool(args.color == "always")
    return args.output_file is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
