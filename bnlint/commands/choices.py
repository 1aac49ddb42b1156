"""Command line over configuration file over defaults → Config."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from bnlint.config import Config, find, load, read
from bnlint.options import OPTIONS

_LISTS = ("select", "extend_select", "ignore", "extend_ignore", "exclude", "extend_exclude")
_NEGATED = {"no_respect_gitignore": "respect-gitignore", "no_whole_project": "whole-project", "no_cache": "cache"}
_PATHS = ("baseline", "cache_dir")  # on the command line they are relative to the working directory


def configuration(args: argparse.Namespace) -> Config:
    """The choices of this run."""
    return _over(_from_file(args), args)


def _from_file(args: argparse.Namespace) -> Config:
    if args.isolated:
        return Config(folder=Path.cwd())
    file = Path(args.config) if args.config else find(_start(args.paths))
    return load(file) if file is not None else Config(folder=Path.cwd())


def _start(paths: list[str]) -> Path:
    """Where the search for a configuration begins: the deepest folder above all paths."""
    existing = [os.path.abspath(path) for path in paths if Path(path).exists()]  # noqa: PTH100 - links are not followed
    if not existing:
        return Path.cwd()
    common = Path(os.path.commonpath(existing))
    return common if common.is_dir() else common.parent


def _over(config: Config, args: argparse.Namespace) -> Config:
    table: dict[str, Any] = {}
    for option in OPTIONS:
        value = getattr(args, option.attribute, None)
        if value is None or value is False:
            continue
        if option.attribute in _LISTS:
            value = [word for text in value for word in text.split(",") if word]
        if option.attribute in _PATHS:
            value = str(Path(str(value)).absolute())
        table[option.key] = value
    for name, key in _NEGATED.items():
        if getattr(args, name):
            table[key] = False
    given = read(table, "command line")
    changes = {key.replace("-", "_"): getattr(given, key.replace("-", "_")) for key in table}
    return replace(config, **changes)
