"""The facts of one file: its program as small frozen records, without whitespace, comments or positions.

Facts say what the text says and conclude nothing; conclusions live in :mod:`bnlint.project`. They are plain tuples, so
they pickle fast and can be cached by the content of the file. No LibCST node is held: each record carries ``at``, its
number in the walk of the file, and :func:`bnlint.facts.locate.locate` turns such numbers into lines and columns for the
few files that have something to report. Numbers grow in source order: a parent's is smaller than its children's.
"""

from typing import Literal, NamedTuple, TypeAlias, Union

from bnlint.facts.terms import (
    Arg,
    Attr,
    Call,
    Choice,
    Comp,
    CompFor,
    Const,
    Dict,
    Expr,
    Item,
    Lambda,
    Name,
    Op,
    Param,
    Seq,
    Star,
    Walrus,
)

__all__ = ["Alias", "Arg", "Assert", "Assign", "Attr", "Block", "Call", "Case", "Choice", "Class", "Comment", "Comp", "CompFor", "Const", "Delete", "Dict", "Do", "Expr", "FileFacts", "For", "From", "Function", "Handler", "If", "Import", "Item", "Jump", "Lambda", "Match", "Name", "Node", "Op", "Outer", "Param", "Problem", "Raise", "Return", "Seq", "Star", "Stmt", "Try", "Walrus", "While", "With", "WithItem"]  # fmt: skip

# --- statements ------------------------------------------------------------------------------------------------------

Block: TypeAlias = tuple["Stmt", ...]


class Assign(NamedTuple):
    """``a = b = value``, ``a: T = value`` (value None when bare) or ``a += value`` (`op` is ``+=``)."""

    at: int
    targets: tuple[Expr, ...]
    value: Expr | None
    op: str = "="
    annotation: Expr | None = None


class Do(NamedTuple):
    """An expression that stands as a statement."""

    at: int
    value: Expr


class Return(NamedTuple):
    """``return value``."""

    at: int
    value: Expr | None


class Raise(NamedTuple):
    """``raise value from cause``."""

    at: int
    value: Expr | None
    cause: Expr | None = None


class Delete(NamedTuple):
    """``del targets``."""

    at: int
    targets: tuple[Expr, ...]


class Assert(NamedTuple):
    """``assert test, message``."""

    at: int
    test: Expr
    message: Expr | None = None


class Jump(NamedTuple):
    """``pass``, ``break`` or ``continue``."""

    at: int
    kind: Literal["pass", "break", "continue"]


class Outer(NamedTuple):
    """``global names`` or ``nonlocal names``."""

    at: int
    kind: Literal["global", "nonlocal"]
    names: tuple[str, ...]


class Alias(NamedTuple):
    """One imported name: ``name as asname``; in ``from m import *`` the name is ``*``."""

    name: str
    asname: str | None = None


class Import(NamedTuple):
    """``import a.b as c, d``."""

    at: int
    names: tuple[Alias, ...]


class From(NamedTuple):
    """``from ..module import names`` with `level` leading dots."""

    at: int
    module: str
    level: int
    names: tuple[Alias, ...]


class If(NamedTuple):
    """``if test``; an ``elif`` is an If alone in `orelse`."""

    at: int
    test: Expr
    body: Block
    orelse: Block


class For(NamedTuple):
    """``for target in iter``."""

    at: int
    target: Expr
    iter: Expr
    body: Block
    orelse: Block


class While(NamedTuple):
    """``while test``."""

    at: int
    test: Expr
    body: Block
    orelse: Block


class WithItem(NamedTuple):
    """One ``context as target`` of a with statement."""

    context: Expr
    target: Expr | None = None


class With(NamedTuple):
    """``with items``."""

    at: int
    items: tuple[WithItem, ...]
    body: Block


class Handler(NamedTuple):
    """One ``except type as name``."""

    type: Expr | None
    name: str | None
    body: Block


class Try(NamedTuple):
    """``try … except … else … finally``."""

    at: int
    body: Block
    handlers: tuple[Handler, ...]
    orelse: Block
    final: Block


class Case(NamedTuple):
    """One ``case``; `names` are what the pattern binds, sorted."""

    names: tuple[str, ...]
    guard: Expr | None
    body: Block


class Match(NamedTuple):
    """``match subject``."""

    at: int
    subject: Expr
    cases: tuple[Case, ...]


class Function(NamedTuple):
    """A function or method; `doc` tells nothing here: a docstring is the first Do(Const(str)) of `body`."""

    at: int
    name: str
    params: tuple[Param, ...]
    body: Block
    decorators: tuple[Expr, ...]


class Class(NamedTuple):
    """A class with its bases (keywords such as ``metaclass=`` have a `keyword`)."""

    at: int
    name: str
    bases: tuple[Arg, ...]
    body: Block
    decorators: tuple[Expr, ...]


Stmt: TypeAlias = Union[
    Assign,
    Do,
    Return,
    Raise,
    Delete,
    Assert,
    Jump,
    Outer,
    Import,
    From,
    If,
    For,
    While,
    With,
    Try,
    Match,
    Function,
    Class,
]
Node: TypeAlias = Union[Expr, Stmt]

# --- the file --------------------------------------------------------------------------------------------------------


class Problem(NamedTuple):
    """Why a file could not be read: a sentence, and the 1-based line and column where that is known."""

    message: str
    line: int = 1
    column: int = 1


class Comment(NamedTuple):
    """A comment above or beside a statement (`at` is the statement's number), without the ``#``."""

    at: int
    text: str


class FileFacts(NamedTuple):
    """All facts of one file.

    `path` is the path as it is reported; `digest` the hash of the text they were taken from. A file that was not
    parsed for want of any trigger word has an empty `body` and `parsed` False; one that could not be has a `problem`.
    """

    path: str
    digest: str
    body: Block = ()
    comments: tuple[Comment, ...] = ()
    problem: Problem | None = None
    parsed: bool = True
