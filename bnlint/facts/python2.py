"""Python 2 → text that Python 3's parser takes, line for line and, where it can be, column for column.

A large part of the programs for TensorFlow 1 was never converted. Only what a parser stumbles over is rewritten, and
only for reading: what such a statement means is of no matter here, and a fix never writes this text.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"(?P<string>[uUbBrR]{0,2}(?:"
    r'"""(?:[^"\\]|\\.|"(?!""))*"""' + r"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r'|"(?:[^"\\\n]|\\.)*"' + r"|'(?:[^'\\\n]|\\.)*'))"
    r"|(?P<comment>\#[^\n]*)|(?P<joined>\\\n)|(?P<newline>\n)|(?P<space>[ \t\f]+)"
    r"|(?P<number>0[xX][\da-fA-F]+[lL]?|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[lLjJ]?)"
    r"|(?P<name>\w+)|(?P<op><>|.)",
    re.DOTALL,
)
_OPEN, _CLOSE = "([{", ")]}"
_TAB = 8
# After `print`, these mean that Python 3 reads the line as some expression, and that will do.
_OPERATORS = frozenset({"in", "is", "and", "or", "if", "else", "for"})


class Rewritten(NamedTuple):
    """The text for the parser, and by how many columns each line was moved to the right."""

    text: str
    moved: dict[int, int]


class _Token(NamedTuple):
    kind: str
    text: str


def rewritten(text: str) -> Rewritten:
    """`text` without the spellings that Python 3 has lost."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    tokens = [_Token(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text)]
    new = [_spelled(token) for token in tokens]
    _backticks(tokens, new)
    moved: dict[int, int] = {}
    for numbers in _statements(tokens):
        _tuple_parameters(tokens, new, numbers)
        rewrite = _STATEMENTS.get(tokens[numbers[0]].text)
        if rewrite is not None:
            rewrite(tokens, new, numbers)
    _expand(tokens, new, moved)
    return Rewritten("".join(new), moved)


def _spelled(token: _Token) -> str:
    text = token.text
    if token.kind == "string" and text[:2].lower() == "ur":
        return " " + text[1:]
    if token.kind == "number":
        text = text[:-1] + " " if text[-1] in "lL" else text
        octal = text.rstrip().isdigit() and text[0] == "0" and len(text) > 1
        return " " + text[1:] if octal else text  # another number, but no rule asks for file modes
    return "!=" if text == "<>" else text


def _backticks(tokens: list[_Token], new: list[str]) -> None:
    open_ = True
    for at, token in enumerate(tokens):
        if token.text == "`":
            new[at] = "(" if open_ else ")"
            open_ = not open_


def _statements(tokens: list[_Token]) -> Iterator[list[int]]:
    """Numbers of the tokens of each simple statement and each head of a block, without spaces and comments."""
    depth = lambdas = 0
    current: list[int] = []
    for at, (kind, text) in enumerate(tokens):
        if kind in {"space", "comment", "joined"} or (kind == "newline" and depth > 0):
            continue
        depth += (text in _OPEN) - (text in _CLOSE)
        lambdas += text == "lambda" and not depth
        if kind == "newline" or (depth <= 0 and (text == ";" or (text == ":" and not lambdas))):
            if current:
                yield current
            depth, lambdas, current = 0, 0, []
            continue
        lambdas -= text == ":" and not depth
        current.append(at)
    if current:
        yield current


def _expand(tokens: list[_Token], new: list[str], moved: dict[int, int]) -> None:
    """Tabs at the beginning of lines, which Python 2 took for eight columns, beside spaces."""
    line = 1
    for at, (kind, text) in enumerate(tokens):
        begins = at == 0 or tokens[at - 1].kind == "newline"
        if kind == "space" and begins and "\t" in text:
            new[at] = text.expandtabs(_TAB)
            moved[line] = len(new[at]) - len(text)
        line += text.count("\n")


def _in_parentheses(tokens: list[_Token], new: list[str], first: int, last: int) -> None:
    """``word x, y`` → ``word(x, y)``, where a space becomes the parenthesis if there is one; `first` follows the word."""
    if tokens[first].kind == "space":
        new[first] = "(" + new[first][1:]
    else:
        new[first] = "(" + new[first]
    new[last] += ")"


def _print(tokens: list[_Token], new: list[str], numbers: list[int]) -> None:
    if len(numbers) < 2:
        return
    kind, text = tokens[numbers[1]]
    if kind in {"string", "number"} or (kind == "name" and text not in _OPERATORS) or text in {"{", "[", "~"}:
        _in_parentheses(tokens, new, numbers[0] + 1, numbers[-1])


def _exec(tokens: list[_Token], new: list[str], numbers: list[int]) -> None:
    if len(numbers) > 1 and tokens[numbers[1]].kind in {"string", "name"}:
        _in_parentheses(tokens, new, numbers[0] + 1, numbers[-1])


def _raise(tokens: list[_Token], new: list[str], numbers: list[int]) -> None:
    """``raise Error, value`` → ``raise Error( value)``."""
    comma = _comma(tokens, numbers)
    if comma is not None:
        new[comma] = "("
        new[numbers[-1]] += ")"


def _except(tokens: list[_Token], new: list[str], numbers: list[int]) -> None:
    """``except Error, name`` → ``except Error as name``: nothing that is reported follows on that line."""
    comma = _comma(tokens, numbers)
    if comma is not None:
        new[comma] = " as" if tokens[comma + 1].kind == "space" else " as "


def _comma(tokens: list[_Token], numbers: list[int]) -> int | None:
    """The first comma outside all brackets."""
    depth = 0
    for number in numbers:
        text = tokens[number].text
        depth += (text in _OPEN) - (text in _CLOSE)
        if text == "," and not depth:
            return number
    return None


_STATEMENTS = {"print": _print, "exec": _exec, "raise": _raise, "except": _except}


def _tuple_parameters(tokens: list[_Token], new: list[str], numbers: list[int]) -> None:
    """``def f(a, (b, c))`` and ``lambda (a, b):`` get one name of the same width for each tuple."""
    for n, number in enumerate(numbers):
        after = {"lambda": n + 1, "def": n + 3}.get(tokens[number].text)
        if after is not None:
            _collapse(tokens, new, numbers[after:])


def _collapse(tokens: list[_Token], new: list[str], numbers: list[int]) -> None:
    """Tuples where a parameter may stand; `numbers` begin at the first parameter."""
    depth, begins = 0, True
    start: int | None = None
    for number in numbers:
        text = tokens[number].text
        if text == "(" and begins:
            start = number
        depth += (text in _OPEN) - (text in _CLOSE)
        if depth < 0 or (text == ":" and not depth):
            return
        if start is not None and not depth:
            for at in range(start, number + 1):
                new[at] = re.sub(r"\W", "_", tokens[at].text)
            start = None
        begins = text == "," and not depth
