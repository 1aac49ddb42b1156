"""Notebooks as programs and back: all code cells in order, magics set aside, and every other byte of the JSON kept."""

import ast
import json
import re
from collections.abc import Iterator, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple

_MARK = re.compile(r'^"%% bnlint cell (\d+)"$')
_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun", "%%snakeviz", "%%memit")
_MAGIC = re.compile(r"^([ \t]*)([%!?].*|[^#'\"\n]*\?{1,2}[ \t]*)$")
_VALUE = re.compile(r"^([ \t]*[\w.,\[\] \t]+=[ \t]*)([%!].*)$")
_ASIDE = "#bnlint-aside:"
_RESTORED = re.compile(rf"^([ \t]*)(?:pass|([\w.,\[\] \t]+=[ \t]*)None)?[ ]*{_ASIDE}(.*)$")


class Cell(NamedTuple):
    """A code cell: its number in the notebook, from 1, and the line of the program before its first."""

    number: int
    line: int


class Program(NamedTuple):
    """The program of a notebook and where its cells begin in it."""

    text: str
    cells: tuple[Cell, ...]


class _Source(NamedTuple):
    number: int
    text: str
    start: int
    end: int


def program(raw: bytes) -> Program:
    """All code cells as one program.

    Raises
    ------
    ValueError
        If the bytes are no notebook.
    """
    lines: list[str] = []
    for source in _sources(_decoded(raw)):
        lines.append(f'"%% bnlint cell {source.number}"')
        lines.extend(_code(source.text))
    text = "\n".join(lines) + "\n" if lines else ""
    return Program(text, cells(text))


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"got bytes that are not UTF-8, at {error.start:,}") from error


def cells(text: str) -> tuple[Cell, ...]:
    """Cells of a program made by :func:`program`, also after it was edited."""
    marks = ((number, _MARK.match(line)) for number, line in enumerate(text.split("\n"), 1))
    return tuple(Cell(int(match[1]), number) for number, match in marks if match)


def with_program(raw: bytes, text: str) -> bytes:
    """The notebook with the edited program: only the source of changed cells differs."""
    notebook = raw.decode("utf-8")
    new = dict(_split(text))
    parts: list[str] = []
    done = 0
    for source in _sources(notebook):
        code = restored(new.get(source.number, []))
        if code != source.text.split("\n"):
            parts += [notebook[done : source.start], _value(notebook[source.start : source.end], "\n".join(code))]
            done = source.end
    return "".join([*parts, notebook[done:]]).encode()


def _split(text: str) -> Iterator[tuple[int, list[str]]]:
    number, lines = 0, list[str]()
    for line in text.removesuffix("\n").split("\n"):
        if match := _MARK.match(line):
            if number:
                yield number, lines
            number, lines = int(match[1]), []
        else:
            lines.append(line)
    if number:
        yield number, lines


# --- magics ----------------------------------------------------------------------------------------------------------


def _code(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[0].lstrip().startswith("%%"):
        if not lines[0].lstrip().startswith(_PYTHON_MAGICS):
            return [_ASIDE + line for line in lines]  # another language
        return [_ASIDE + lines[0], *_code("\n".join(lines[1:]))] if len(lines) > 1 else [_ASIDE + lines[0]]
    if _parses(lines):
        return lines
    plain = [_without_magic(line) for line in lines]
    return plain if _parses(plain) else [_ASIDE + line for line in lines]


def _parses(lines: Sequence[str]) -> bool:
    try:
        ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _without_magic(line: str) -> str:
    if match := _MAGIC.match(line):
        return f"{match[1]}pass  {_ASIDE}{match[2]}"
    if match := _VALUE.match(line):
        return f"{match[1]}None  {_ASIDE}{match[2]}"
    return line


def restored(lines: Sequence[str]) -> list[str]:
    """The lines as the notebook has them, magics in place."""
    found = []
    for line in lines:
        match = _RESTORED.match(line)
        found.append(f"{match[1]}{match[2] or ''}{match[3]}" if match else line)
    return found


# --- JSON with places ------------------------------------------------------------------------------------------------

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _members(text: str, at: int) -> Iterator[tuple[str, int, int, Any]]:
    """Keys of the object at `at`, with the places and values of what they hold."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        if text[at] != '"':
            raise ValueError("a key was expected")
        name, at = scanstring(text, at + 1, True)
        at = _skip(text, at)
        start = _skip(text, at + 1)
        value, end = _DECODER.raw_decode(text, start)
        yield name, start, end, value
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at


def _items(text: str, at: int) -> Iterator[int]:
    """Places of the items of the list at `at`."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        yield at
        _, end = _DECODER.raw_decode(text, at)
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at


def _sources(text: str) -> Iterator[_Source]:
    """Code cells, with the place of their source."""
    try:
        yield from _code_cells(text)
    except (IndexError, RecursionError, TypeError) as error:
        raise ValueError("the JSON ends too early") from error


def _code_cells(text: str) -> Iterator[_Source]:
    top = _skip(text, 1 if text.startswith("\ufeff") else 0)
    if text[top : top + 1] != "{":
        raise ValueError("got no JSON object")
    places = {name: start for name, start, _, _ in _members(text, top)}
    if "worksheets" in places:
        raise ValueError("got format 3, expected 4; `jupyter nbconvert --to notebook --inplace` converts it")
    cells = places.get("cells")
    if cells is None or text[cells] != "[":
        raise ValueError('got JSON without a list of "cells"')
    for number, at in enumerate(_items(text, cells), 1):
        members = {name: (start, end, value) for name, start, end, value in _members(text, at)}
        if members.get("cell_type", (0, 0, ""))[2] == "code" and "source" in members:
            start, end, value = members["source"]
            yield _Source(number, value if isinstance(value, str) else "".join(map(str, value)), start, end)


def lines_in_file(raw: bytes) -> dict[int, list[int]]:
    """For each code cell, by number: the line of the file that holds each line of its source."""
    text = raw.decode("utf-8")
    found: dict[int, list[int]] = {}
    for source in _sources(text):
        count = source.text.count("\n") + 1
        if text[source.start] != "[":
            found[source.number] = [text.count("\n", 0, source.start) + 1] * count
            continue
        lines: list[int] = []
        for at in _items(text, source.start):
            value, _ = _DECODER.raw_decode(text, at)
            lines += [text.count("\n", 0, at) + 1] * max(1, str(value).count("\n"))
        found[source.number] = (lines + lines[-1:] * count)[:count]
    return found


def _value(old: str, new: str) -> str:
    """The new source, laid out as the old one; lines that have not changed are written as they were."""
    ascii_only = old.isascii()
    if not old.startswith("["):
        return json.dumps(new, ensure_ascii=ascii_only)
    starts = list(_items(old, 0))
    written = [(_DECODER.raw_decode(old, at), at) for at in starts]
    as_was = {value: old[at:end] for (value, end), at in written}
    lines = [line for line in re.split(r"(?<=\n)", new) if line]
    first = old[1 : starts[0]] if starts else ""
    last = old[written[-1][0][1] : -1] if written else ""
    items = [as_was.get(line) or json.dumps(line, ensure_ascii=ascii_only) for line in lines]
    between = f",{first}" if len(starts) < 2 else old[written[0][0][1] : starts[1]]
    return f"[{first}{between.join(items)}{last}]"
