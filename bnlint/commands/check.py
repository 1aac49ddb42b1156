"""``bnlint PATH…``: look, repair if asked, report."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bnlint.cache import Cache
from bnlint.cache import folder as cache_folder
from bnlint.commands.choices import configuration
from bnlint.commands.output import colour, emit, emit_bytes, say
from bnlint.commands.progress import progress
from bnlint.config import Config, settings
from bnlint.errors import BnlintError
from bnlint.extensions import with_extensions
from bnlint.facts.collect import Text, read_all
from bnlint.report.model import Report
from bnlint.report.table import WITH_CHANGES, Style, render
from bnlint.rules._base import Rule
from bnlint.rules.own import OWN
from bnlint.run import Analysis, analyse, report
from bnlint.source import Source, discover


def check(args: argparse.Namespace) -> int:
    """Run the main command and return its exit code."""
    paths = args.paths = args.paths or ["."]
    config = configuration(args)
    rules = with_extensions(OWN, config.rules, config.folder)
    config.check_codes(rule.meta.code for rule in rules)
    if args.show_settings:
        emit(settings(config), args)
        return 0
    sources = _sources(paths, args, config)
    if args.show_files:
        emit("".join(f"{source.path}\n" for source in sources if source.reported), args)
        return 0
    cache = None if args.fix or args.diff else _cache(config)
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


def _cache(config: Config) -> Cache:
    """Where results are kept; rules of the project's own may change any time, so theirs are not."""
    kept = config.cache and not config.rules
    return Cache(cache_folder(config.cache_dir, config.folder) if kept else None)


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
    say(f"{file}: {count} finding{'' if count == 1 else 's'} written")
    return 0


def _add_ignores(analysis: Analysis, config: Config) -> int:
    from bnlint.facts.collect import with_data
    from bnlint.ignores import add_ignores, by_path

    pairs = []
    total = 0
    for path, findings in by_path(analysis.shown(config).findings).items():
        text = analysis.by_path()[path]
        done = add_ignores(text.data, findings, text.cells())
        pairs.append((text, with_data(text, done.data)))
        total += done.total
        notes([f"{path}: no place for a comment: {finding.code} {finding.says}" for finding in done.left])
    code = _put(analysis, [(old, new) for old, new in pairs if old.data != new.data])
    say(f"{total} finding{'' if total == 1 else 's'} silenced")
    return code


def _put(analysis: Analysis, pairs: Sequence[tuple[Text, Text]]) -> int:
    """Write changed texts; what came from standard input goes to standard output, changed or not. 2 if a file fails."""
    from bnlint.fixes.write import write

    code = 0
    changed = {old.source: new for old, new in pairs}
    for text in analysis.texts:
        new = changed.get(text.source)
        if text.source.data is not None:
            sys.stdout.buffer.write((new or text).written())
        elif new is not None and text.source.file is not None:
            try:
                write(text.source.file, new.written())
            except BnlintError as error:
                notes([str(error)])
                code = 2
    return code


def _repair(analysis: Analysis, args: argparse.Namespace, config: Config, rules: Sequence[Rule]) -> int:
    from bnlint.fixes.apply import diff
    from bnlint.repair import repair

    done = repair(analysis, config, rules, "unsafe" if args.unsafe_fixes else "safe")
    pairs = done.changed(analysis)
    if args.diff:
        emit_bytes(b"".join(diff(old.source.path, old.written(), new.written()) for old, new in pairs), args)
        notes(done.notes)
        return 1 if pairs else 0
    failed = _put(analysis, pairs)
    count = sum(done.applied.values())
    if count:
        codes = ", ".join(f"{code} × {times}" for code, times in sorted(done.applied.items()))
        say(f"{count} fix{'es' if count > 1 else ''} applied: {codes}")
    notes(done.notes)
    made = report(done.analysis, config, rules)
    if any(text.source.data is not None for text in analysis.texts):
        return failed or _code(made, args, config)  # standard output holds the repaired text, and no report
    return failed or _say(made, args, config)


def notes(sentences: Sequence[str]) -> None:
    """Say on standard error what went otherwise than asked."""
    for sentence in sentences:
        say(f"bnlint: {sentence}")


def _say(made: Report, args: argparse.Namespace, config: Config) -> int:
    style = Style(colour=colour(args), quiet=args.quiet, statistics=args.statistics)
    emit(render(args.format, made, style), args)
    return _code(made, args, config)


def _code(made: Report, args: argparse.Namespace, config: Config) -> int:
    if args.exit_zero:
        return 0
    return 1 if any(finding.severity != "note" or config.strict for finding in made.findings) else 0
