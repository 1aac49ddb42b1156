"""Where a report goes: to the terminal, or whole into a file. What no encoding can hold is written as an escape."""

import argparse
import os
import stat
import sys
from pathlib import Path
from typing import TextIO

from bnlint.errors import BnlintError
from bnlint.fixes.write import write

MACHINE = frozenset({"json", "sarif", "gitlab", "junit"})  # UTF-8 on any terminal, as their standards say


def emit(text: str, args: argparse.Namespace) -> None:
    """Put a report where `args` wants it: standard output, or ``--output-file``."""
    if args.output_file is not None or args.format in MACHINE:
        emit_bytes(text.encode("utf-8", "backslashreplace"), args)
        return
    sys.stdout.write(_for(sys.stdout, text))


def say(sentence: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(_for(sys.stderr, f"{sentence}\n"))


def _for(stream: TextIO, text: str) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def emit_bytes(data: bytes, args: argparse.Namespace) -> None:
    """The same for bytes, such as the difference of two files, whatever their encoding."""
    if args.output_file is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    file = Path(args.output_file)
    try:
        if file.exists() and not stat.S_ISREG(file.stat().st_mode):
            file.write_bytes(data)  # a pipe or a device is no file to be replaced
        else:
            write(file, data)
    except OSError as error:
        raise BnlintError(f"{file}: cannot be written: {error.strerror}") from error


def colour(args: argparse.Namespace) -> bool:
    """Whether to write in colour: as asked for, else on terminals that want it."""
    if args.color != "auto":
        return bool(args.color == "always")
    if args.output_file is not None or os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")
