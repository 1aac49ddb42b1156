"""Python's own syntax trees → facts of expressions: the fast way, number for number the same as :mod:`.expressions`."""

import ast
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from bnlint.facts import model as m


class _Numbers(dict[int, int]):
    """Each number once: the same objects serve all files, where a fresh one a record was a third of the memory."""

    def __missing__(self, number: int) -> int:
        self[number] = number
        return number


AT = _Numbers()
Nodes = list[ast.AST]  # nodes[number] is the node that has this number
Convert = Callable[[Nodes, Any], m.Expr]

_BINARY: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
    ast.And: "and", ast.Or: "or",
}  # fmt: skip
_COMPARE: dict[type, str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
_UNARY: dict[type, str] = {ast.Not: "not", ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert"}
_place = attrgetter("lineno", "col_offset")


def expression(nodes: Nodes, node: ast.expr) -> m.Expr:
    """The facts of one expression."""
    return _TABLE[type(node)](nodes, node)


def optional(nodes: Nodes, node: ast.expr | None) -> m.Expr | None:
    """The facts of an expression that may be missing."""
    return None if node is None else _TABLE[type(node)](nodes, node)


def _several(nodes: Nodes, some: Iterable[ast.expr]) -> tuple[m.Expr, ...]:
    return tuple([_TABLE[type(node)](nodes, node) for node in some])


def _name(nodes: Nodes, node: ast.Name) -> m.Expr:
    nodes.append(node)
    return m.Name(AT[len(nodes) - 1], node.id)


def _attribute(nodes: Nodes, node: ast.Attribute) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    value = node.value
    return m.Attr(at, _TABLE[type(value)](nodes, value), node.attr)


def _constant(nodes: Nodes, node: ast.Constant) -> m.Expr:
    nodes.append(node)
    return m.Const(AT[len(nodes) - 1], node.value)


def _joined(nodes: Nodes, node: Any) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    parts = [part.value for part in node.values if hasattr(part, "value") and not isinstance(part, ast.Constant)]
    return m.Op(at, "f-string", _several(nodes, parts))


def arguments(nodes: Nodes, args: list[ast.expr], keywords: list[ast.keyword]) -> tuple[m.Arg, ...]:
    """The arguments of a call, or the bases and keywords of a class, as written."""
    if keywords and any(type(arg) is ast.Starred for arg in args):
        both: list[Any] = sorted([*args, *keywords], key=_place)
        return tuple([_argument(nodes, one) for one in both])
    found = [_argument(nodes, arg) for arg in args]
    found.extend([_argument(nodes, keyword) for keyword in keywords])
    return tuple(found)


def _argument(nodes: Nodes, node: ast.expr | ast.keyword) -> m.Arg:
    if type(node) is ast.keyword:
        return m.Arg(_TABLE[type(node.value)](nodes, node.value), node.arg, "" if node.arg is not None else "**")
    if type(node) is ast.Starred:
        return m.Arg(_TABLE[type(node.value)](nodes, node.value), None, "*")
    return m.Arg(_TABLE[type(node)](nodes, node))


def _call(nodes: Nodes, node: ast.Call) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    func = _TABLE[type(node.func)](nodes, node.func)
    return m.Call(at, func, arguments(nodes, node.args, node.keywords))


def _seq(kind: Any) -> Convert:
    def convert(nodes: Nodes, node: Any) -> m.Expr:
        at = AT[len(nodes)]
        nodes.append(node)
        return m.Seq(at, kind, _several(nodes, node.elts))

    return convert


def _starred(nodes: Nodes, node: ast.Starred) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    return m.Star(at, expression(nodes, node.value))


def _dict(nodes: Nodes, node: ast.Dict) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    pairs = [
        (optional(nodes, key), expression(nodes, value)) for key, value in zip(node.keys, node.values, strict=True)
    ]
    return m.Dict(at, tuple(pairs))


def _subscript(nodes: Nodes, node: ast.Subscript) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    value = expression(nodes, node.value)
    # `a[b, c]` and `a[(b, c)]` are the same program, and have the same facts.
    keys = node.slice.elts if isinstance(node.slice, ast.Tuple) and node.slice.elts else [node.slice]
    return m.Item(at, value, _several(nodes, [key.value if isinstance(key, ast.Starred) else key for key in keys]))


def _slice(nodes: Nodes, node: ast.Slice) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    return m.Op(at, "slice", _several(nodes, [b for b in (node.lower, node.upper, node.step) if b is not None]))


def _binary(nodes: Nodes, node: ast.BinOp) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    kind = type(node.op)
    right = [node.right]
    left = node.left
    while type(left) is ast.BinOp and type(left.op) is kind and kind is not ast.Pow:
        right.append(left.right)
        left = left.left
    right.append(left)
    right.reverse()
    return m.Op(at, _BINARY[kind], _several(nodes, right))


def _boolean(nodes: Nodes, node: ast.BoolOp) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    values = list(node.values)
    while isinstance(first := values[0], ast.BoolOp) and type(first.op) is type(node.op):
        values[:1] = first.values
    return m.Op(at, _BINARY[type(node.op)], _several(nodes, values))


def _unary(nodes: Nodes, node: ast.UnaryOp) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    operand = expression(nodes, node.operand)
    op = _UNARY[type(node.op)]
    if op == "neg" and isinstance(operand, m.Const) and isinstance(operand.value, int | float):
        return m.Const(at, -operand.value)
    return m.Op(at, op, (operand,))


def _comparison(nodes: Nodes, node: ast.Compare) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    operators = {_COMPARE[type(op)] for op in node.ops}
    operands = _several(nodes, [node.left, *node.comparators])
    return m.Op(at, operators.pop() if len(operators) == 1 else "compare", operands)


def _choice(nodes: Nodes, node: ast.IfExp) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    then = expression(nodes, node.body)
    test = expression(nodes, node.test)
    return m.Choice(at, test, then, expression(nodes, node.orelse))


def _param(nodes: Nodes, p: ast.arg, kind: Any, default: ast.expr | None = None) -> m.Param:
    annotation = optional(nodes, p.annotation)
    return m.Param(p.arg, kind, optional(nodes, default), annotation)


def parameters(nodes: Nodes, ps: ast.arguments) -> tuple[m.Param, ...]:
    """The parameters of a function or lambda, in source order."""
    plain = [*((p, "positional") for p in ps.posonlyargs), *((p, "plain") for p in ps.args)]
    defaults = [None] * (len(plain) - len(ps.defaults)) + list(ps.defaults)
    found = [_param(nodes, p, kind, default) for (p, kind), default in zip(plain, defaults, strict=True)]
    if ps.vararg is not None:
        found.append(_param(nodes, ps.vararg, "*"))
    found.extend([_param(nodes, p, "keyword", d) for p, d in zip(ps.kwonlyargs, ps.kw_defaults, strict=True)])
    if ps.kwarg is not None:
        found.append(_param(nodes, ps.kwarg, "**"))
    return tuple(found)


def _lambda(nodes: Nodes, node: ast.Lambda) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    params = parameters(nodes, node.args)
    return m.Lambda(at, params, expression(nodes, node.body))


def _comprehension(kind: Any) -> Convert:
    def convert(nodes: Nodes, node: Any) -> m.Expr:
        at = AT[len(nodes)]
        nodes.append(node)
        items = _several(nodes, (node.key, node.value) if kind == "dict" else (node.elt,))
        loops = [
            m.CompFor(expression(nodes, c.target), expression(nodes, c.iter), _several(nodes, c.ifs))
            for c in node.generators
        ]
        return m.Comp(at, kind, items, tuple(loops))

    return convert


def _walrus(nodes: Nodes, node: ast.NamedExpr) -> m.Expr:
    at = AT[len(nodes)]
    nodes.append(node)
    target = expression(nodes, node.target)
    return m.Walrus(at, target, expression(nodes, node.value))


def _operation(op: str) -> Convert:
    def convert(nodes: Nodes, node: Any) -> m.Expr:
        at = AT[len(nodes)]
        nodes.append(node)
        return m.Op(at, op, () if node.value is None else (expression(nodes, node.value),))

    return convert


_TABLE: dict[type, Convert] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Constant: _constant,
    ast.JoinedStr: _joined,
    ast.Tuple: _seq("tuple"),
    ast.List: _seq("list"),
    ast.Set: _seq("set"),
    ast.Dict: _dict,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.Compare: _comparison,
    ast.IfExp: _choice,
    ast.Lambda: _lambda,
    ast.ListComp: _comprehension("list"),
    ast.SetComp: _comprehension("set"),
    ast.GeneratorExp: _comprehension("generator"),
    ast.DictComp: _comprehension("dict"),
    ast.NamedExpr: _walrus,
    ast.Await: _operation("await"),
    ast.Yield: _operation("yield"),
    ast.YieldFrom: _operation("yield from"),
    ast.Starred: _starred,
}
if hasattr(ast, "TemplateStr"):  # Python 3.14
    _TABLE[ast.TemplateStr] = _joined
