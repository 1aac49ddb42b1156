"""Command line over configuration file over defaults → Config."""

import argparse
import os
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bnlint.config import Config, find, load, read
from bnlint.errors import ConfigError
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
    table = _set(args.set or ())
    for option in OPTIONS:
        value = getattr(args, option.attribute, None)
        if value is None or value is False:
            continue
        if option.attribute in _LISTS:
            value = _words(value, option.key)
        if option.attribute in {"exclude", "extend_exclude"}:
            value = [_from_here(pattern, config.folder) for pattern in value]
        if option.attribute in _PATHS:
            value = str(Path(str(value)).absolute())
        table[option.key] = value
    for name, key in _NEGATED.items():
        if getattr(args, name):
            table[key] = False
    given = read(table, "command line")
    changes = {key.replace("-", "_"): getattr(given, key.replace("-", "_")) for key in table}
    return replace(config, **changes)


def _set(given: Sequence[str]) -> dict[str, Any]:
    """Keys and values of ``--set``."""
    table: dict[str, Any] = {}
    for text in given:
        try:
            table |= tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(
                f"got --set {text!r}, expected a key and a value in TOML, such as --set 'jobs = 2' or --set 'target = {{keras = \"3\"}}' ({error})"
            ) from error
    return table


def _words(given: Sequence[str], key: str) -> list[str]:
    found = [word.strip() for text in given for word in text.split(",") if word.strip()]
    if not found:
        raise ConfigError(
            f"got an empty --{key}, expected codes or patterns with commas between them; leave it out to choose nothing"
        )
    return found


def _from_here(pattern: str, folder: Path) -> str:
    """A pattern with a path, which is one from the working directory, as the configuration would write it."""
    if "/" not in pattern.rstrip("/") or pattern.startswith(("**/", "!")):
        return pattern
    place = Path(pattern) if Path(pattern).exists() else Path.cwd() / pattern.lstrip("/")
    path = Path(os.path.relpath(place, folder.absolute())).as_posix()
    return f"/{path}{'/' if pattern.endswith('/') else ''}"
