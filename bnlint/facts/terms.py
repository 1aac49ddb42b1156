"""The facts of expressions; :mod:`bnlint.facts.model` has them all, with statements and files."""

from typing import Literal, NamedTuple, TypeAlias, Union


class Name(NamedTuple):
    """A plain name, read or written: ``model``."""

    at: int
    id: str


class Attr(NamedTuple):
    """An attribute: ``value.name``."""

    at: int
    value: "Expr"
    name: str


class Const(NamedTuple):
    """A literal: number, string (implicit concatenation joined), bytes, ``True``, ``False``, ``None``, ``...``."""

    at: int
    value: object


class Arg(NamedTuple):
    """One argument of a call or one base of a class; `star` is ``""``, ``"*"`` or ``"**"``."""

    value: "Expr"
    keyword: str | None = None
    star: str = ""


class Call(NamedTuple):
    """A call: ``func(*args)``."""

    at: int
    func: "Expr"
    args: tuple[Arg, ...]


class Seq(NamedTuple):
    """A display of items: ``(a, b)``, ``[a, b]`` or ``{a, b}``."""

    at: int
    kind: Literal["tuple", "list", "set"]
    items: tuple["Expr", ...]


class Dict(NamedTuple):
    """A dictionary display; the key of ``**other`` is None."""

    at: int
    items: tuple[tuple["Expr | None", "Expr"], ...]


class Item(NamedTuple):
    """A subscript: ``value[keys]``; several keys stand in order (``index`` is taken: records are tuples)."""

    at: int
    value: "Expr"
    keys: tuple["Expr", ...]


class Op(NamedTuple):
    """An operation on expressions.

    `op` is the operator as written (``+``, ``not``, ``and``, ``==``, ``not in`` …), or one of ``neg``, ``pos``,
    ``invert``, ``await``, ``yield``, ``yield from``, ``f-string``, ``slice``. A chain of one left-associative operator
    is flat: ``a + b + c`` has three `args`, and so is a chained comparison ``a < b < c`` (``compare`` if it mixes operators).
    """

    at: int
    op: str
    args: tuple["Expr", ...]


class Choice(NamedTuple):
    """A conditional expression: ``then if test else other``."""

    at: int
    test: "Expr"
    then: "Expr"
    other: "Expr"


class Param(NamedTuple):
    """One parameter; `kind` is ``positional`` (only), ``plain``, ``keyword`` (only), ``*`` or ``**``."""

    name: str
    kind: Literal["positional", "plain", "keyword", "*", "**"]
    default: "Expr | None" = None
    annotation: "Expr | None" = None


class Lambda(NamedTuple):
    """A lambda expression."""

    at: int
    params: tuple[Param, ...]
    body: "Expr"


class CompFor(NamedTuple):
    """One ``for target in iter if …`` of a comprehension."""

    target: "Expr"
    iter: "Expr"
    tests: tuple["Expr", ...]


class Comp(NamedTuple):
    """A comprehension; `items` is one expression, or key and value."""

    at: int
    kind: Literal["list", "set", "dict", "generator"]
    items: tuple["Expr", ...]
    loops: tuple[CompFor, ...]


class Walrus(NamedTuple):
    """``target := value``."""

    at: int
    target: "Expr"
    value: "Expr"


class Star(NamedTuple):
    """``*value`` inside a display or a target."""

    at: int
    value: "Expr"


Expr: TypeAlias = Union[Name, Attr, Const, Call, Seq, Dict, Item, Op, Choice, Lambda, Comp, Walrus, Star]
