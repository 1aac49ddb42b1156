"""The choices of a run: ``[tool.bnlint]`` of pyproject.toml, or bnlint.toml, under the command line."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from bnlint.errors import ConfigError
from bnlint.finding import Confidence, Persona, Severity
from bnlint.frameworks.known import Known
from bnlint.options import ALL, OPTIONS, Option
from bnlint.source import EXCLUDE, Selection

FILES = ("bnlint.toml", "pyproject.toml")
_VERSION = re.compile(r"\d+(\.\d+)*")
_BY_KEY = {option.key: option for option in OPTIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything a run can be told; see :data:`bnlint.options.OPTIONS` for the meaning of each field.

    `folder` is where the configuration was found: paths in it are relative to that.
    """

    select: tuple[str, ...] = (ALL,)
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    persona: Persona = "regular"
    min_severity: Severity = "note"
    min_confidence: Confidence = "medium"
    exclude: tuple[str, ...] = EXCLUDE
    extend_exclude: tuple[str, ...] = ()
    respect_gitignore: bool = True
    force_exclude: bool = False
    whole_project: bool = True
    target: tuple[tuple[str, str], ...] = ()
    names: tuple[tuple[str, tuple[str, ...]], ...] = ()
    rules: tuple[str, ...] = ()
    baseline: str = ""
    unfixable: tuple[str, ...] = ()
    strict: bool = False
    cache: bool = True
    cache_dir: str = ""
    jobs: int = 0
    time_limit: float = 30.0
    size_limit: int = 4_000_000
    folder: Path = Path()
    file: Path | None = None

    @property
    def selection(self) -> Selection:
        """Which files are read."""
        return Selection((*self.exclude, *self.extend_exclude), self.respect_gitignore, self.force_exclude, self.folder)

    @property
    def known(self) -> Known:
        """Names that are added to the tables."""
        return Known(**{key.replace("-", "_"): some for key, some in self.names})

    def selected(self) -> tuple[str, ...]:
        """Codes and beginnings of codes that are asked for."""
        return (*self.select, *self.extend_select)

    def ignored(self) -> tuple[str, ...]:
        """Codes and beginnings of codes that are not wanted."""
        return (*self.ignore, *self.extend_ignore)

    def path(self, text: str) -> Path:
        """A path of the configuration, relative to its folder."""
        return self.folder / text

    def check_codes(self, known: Iterable[str]) -> None:
        """Refuse codes that no rule has.

        Raises
        ------
        ConfigError
            With the nearest code.
        """
        given = [
            *self.selected(),
            *self.ignored(),
            *self.unfixable,
            *(c for _, some in self.per_file_ignores for c in some),
        ]
        given = [code for code in given if code != ALL]
        codes = sorted(known) if given else []
        for code in given:
            if not any(other.startswith(code) for other in codes):
                raise ConfigError(
                    f"got the rule {code!r}, expected a code or its beginning{_nearest(code, codes, '`bnlint rules` lists them')}"
                )


def find(start: Path) -> Path | None:
    """The nearest file with a configuration in `start` or above it."""
    folder = start.absolute()
    for place in (folder, *folder.parents):
        for name in FILES:
            file = place / name
            if file.is_file() and (name == "bnlint.toml" or _speaks_of_us(_bytes(file))):
                return file
    return None


def _speaks_of_us(data: bytes) -> bool:
    """Whether a pyproject.toml has our table; one that is broken and names us is ours, so that it is said."""
    if b"bnlint" not in data:
        return False
    try:
        table: Any = tomllib.loads(data.decode())
        return "bnlint" in table.get("tool", {})
    except (UnicodeError, tomllib.TOMLDecodeError):
        return True
    except TypeError:
        return False


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be read: {error.strerror}; name another with --config, or none with --isolated"
        ) from error


def load(file: Path) -> Config:
    """The configuration in `file`.

    Raises
    ------
    ConfigError
        If it cannot be read, has a key that does not exist, or a value of the wrong kind.
    """
    try:
        table: Any = tomllib.loads(_bytes(file).decode("utf-8-sig"))
    except UnicodeError as error:
        raise ConfigError(f"{file}: got a file that is not UTF-8, expected TOML; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: got a file that is not TOML: {error}") from error
    if file.name == "pyproject.toml":
        for name in ("tool", "bnlint"):
            table = table.get(name, {}) if isinstance(table, dict) else table
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: got {table!r} as [tool.bnlint], expected a table")
    return replace(read(table, str(file)), folder=file.absolute().parent, file=file)


def read(table: Mapping[str, Any], where: str) -> Config:
    """The configuration a table of keys and values describes; `where` begins the messages."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        option = _BY_KEY.get(key)
        if option is None:
            raise ConfigError(f"{where}: got the key {key!r}, expected one of the known ones{_nearest(key, _BY_KEY)}")
        values[option.attribute] = _checked(option, value, f"{where}: {key}")
    return Config(**values)


def _nearest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; {otherwise or 'known are ' + ', '.join(sorted(known))}"


def _checked(option: Option, value: Any, where: str) -> Any:
    if option.kind == "choice":
        if value not in option.choices:
            raise ConfigError(f"{where}: got {value!r}, expected one of {', '.join(option.choices)}")
        return value
    if option.kind in {"lists by pattern", "lists by name"}:
        return _lists(option, value, where)
    if option.kind == "strings by name":
        return _by_name(option, value, where)
    if option.kind == "strings":
        if not _is_strings(value):
            raise ConfigError(f"{where}: got {value!r}, expected a list of strings, such as {option.example}")
        return tuple(value)
    return _scalar(option, value, where)


def _lists(option: Option, value: Any, where: str) -> Any:
    if not isinstance(value, dict) or not all(_is_strings(item) for item in value.values()):
        raise ConfigError(f"{where}: got {value!r}, expected a table of lists of strings, such as {option.example}")
    for name, items in cast("dict[str, list[str]]", value).items():
        if option.choices and name not in option.choices:
            raise ConfigError(
                f"{where}: got the key {name!r}, expected a kind of names{_nearest(name, option.choices)}"
            )
        if option.choices and not all(item.strip(" .") for item in items):
            raise ConfigError(f"{where}: got an empty name for {name}, which would mean every name")
    return tuple((name, tuple(items)) for name, items in value.items())


def _by_name(option: Option, value: Any, where: str) -> Any:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ConfigError(f"{where}: got {value!r}, expected a table of strings, such as {option.example}")
    for name in value:
        if name not in option.choices:
            raise ConfigError(f"{where}: got {name!r}, expected one of the frameworks{_nearest(name, option.choices)}")
    for name, version in value.items():
        if not _VERSION.fullmatch(version):
            raise ConfigError(f'{where}: got {version!r} for {name}, expected a version, such as "3" or "2.16"')
    return tuple(cast("dict[str, str]", value).items())


def _is_strings(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _scalar(option: Option, value: Any, where: str) -> Any:
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,), "boolean": (bool,), "whole number": (int,), "number": (int, float),
    }  # fmt: skip
    right = isinstance(value, kinds[option.kind]) and (option.kind == "boolean" or not isinstance(value, bool))
    if not right or (isinstance(value, int | float) and value < 0):
        least = " of 0 or more" if "number" in option.kind else ""
        raise ConfigError(f"{where}: got {value!r}, expected a {option.kind}{least}, such as {option.example}")
    return value


def settings(config: Config) -> str:
    """Every option and its value, one a line, as TOML."""
    lines = [f"# from {config.file}" if config.file is not None else "# no configuration file: the defaults"]
    for option in OPTIONS:
        value = getattr(config, option.attribute)
        empty_table = value == () and option.kind in {"lists by pattern", "strings by name", "lists by name"}
        lines.append(f"{option.key} = {'{}' if empty_table else _toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def fingerprint(config: Config) -> str:
    """All choices that change what is found, as one text."""
    apart = {"cache", "cache_dir", "jobs", "file"}
    return repr([(field.name, getattr(config, field.name)) for field in fields(config) if field.name not in apart])
