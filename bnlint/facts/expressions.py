"""LibCST expressions → facts. One small function per kind of node, in a table."""

import ast
from collections.abc import Callable
from typing import Any, Protocol

import libcst as cst

from bnlint.facts import model as m


class Numbering(Protocol):
    """Gives each visited node its number; `nodes[number]` is the node again."""

    def at(self, node: cst.CSTNode) -> int: ...


Convert = Callable[[Numbering, Any], m.Expr]

_BINARY = {
    cst.Add: "+", cst.Subtract: "-", cst.Multiply: "*", cst.Divide: "/", cst.FloorDivide: "//", cst.Modulo: "%",
    cst.Power: "**", cst.MatrixMultiply: "@", cst.BitAnd: "&", cst.BitOr: "|", cst.BitXor: "^", cst.LeftShift: "<<",
    cst.RightShift: ">>", cst.And: "and", cst.Or: "or",
}  # fmt: skip
_COMPARE = {
    cst.Equal: "==", cst.NotEqual: "!=", cst.LessThan: "<", cst.LessThanEqual: "<=", cst.GreaterThan: ">",
    cst.GreaterThanEqual: ">=", cst.In: "in", cst.NotIn: "not in", cst.Is: "is", cst.IsNot: "is not",
}  # fmt: skip
_UNARY = {cst.Not: "not", cst.Minus: "neg", cst.Plus: "pos", cst.BitInvert: "invert"}
_NAMED_CONSTANTS = {"True": True, "False": False, "None": None}


def expression(n: Numbering, node: cst.BaseExpression) -> m.Expr:
    """The facts of one expression."""
    return _TABLE[type(node)](n, node)


def _optional(n: Numbering, node: cst.BaseExpression | None) -> m.Expr | None:
    return None if node is None else expression(n, node)


def _name(n: Numbering, node: cst.Name) -> m.Expr:
    if node.value in _NAMED_CONSTANTS:
        return m.Const(n.at(node), _NAMED_CONSTANTS[node.value])
    return m.Name(n.at(node), node.value)


def _attribute(n: Numbering, node: cst.Attribute) -> m.Expr:
    at = n.at(node)
    return m.Attr(at, expression(n, node.value), node.attr.value)


def _literal(n: Numbering, node: cst.Integer | cst.Float | cst.Imaginary | cst.SimpleString) -> m.Expr:
    # literal_eval also refuses what the text says but Python would not (a lone surrogate, a 5,000-digit integer).
    at = n.at(node)
    try:
        return m.Const(at, ast.literal_eval(node.value))
    except (ValueError, SyntaxError):
        return m.Const(at, ...)


def _joined(n: Numbering, node: cst.ConcatenatedString) -> m.Expr:
    at = n.at(node)
    parts: list[cst.BaseExpression] = []
    rest: cst.BaseExpression = node
    while isinstance(rest, cst.ConcatenatedString):
        parts.append(rest.left)
        rest = rest.right
    parts.append(rest)
    if all(isinstance(part, cst.SimpleString) for part in parts):
        return m.Const(at, _text(parts))
    # The pieces have no numbers of their own: to Python they are one string.
    return m.Op(at, "f-string", tuple([value for part in parts for value in _values(n, part)]))


def _text(parts: list[Any]) -> object:
    try:
        values = [ast.literal_eval(part.value) for part in parts]
        return values[0][:0].join(values)
    except (ValueError, SyntaxError, TypeError):
        return ...


def _values(n: Numbering, node: Any) -> list[m.Expr]:
    """Expressions in an f-string; those of a format specification are left out."""
    pieces = getattr(node, "parts", ())
    return [expression(n, piece.expression) for piece in pieces if hasattr(piece, "expression")]


def _formatted(n: Numbering, node: cst.FormattedString) -> m.Expr:
    at = n.at(node)
    return m.Op(at, "f-string", tuple(_values(n, node)))


def arguments(n: Numbering, args: Any) -> tuple[m.Arg, ...]:
    """The arguments of a call, or the bases and keywords of a class."""
    return tuple([
        m.Arg(expression(n, a.value), a.keyword.value if a.keyword is not None else None, a.star) for a in args
    ])  # fmt: skip


def _call(n: Numbering, node: cst.Call) -> m.Expr:
    at = n.at(node)
    func = expression(n, node.func)
    return m.Call(at, func, arguments(n, node.args))


def _items(n: Numbering, elements: Any) -> tuple[m.Expr, ...]:
    found: list[m.Expr] = []
    for element in elements:
        if isinstance(element, cst.StarredElement):
            at = n.at(element)
            found.append(m.Star(at, expression(n, element.value)))
        else:
            found.append(expression(n, element.value))
    return tuple(found)


def _seq(kind: Any) -> Convert:
    def convert(n: Numbering, node: Any) -> m.Expr:
        at = n.at(node)
        return m.Seq(at, kind, _items(n, node.elements))

    return convert


def _dict(n: Numbering, node: cst.Dict) -> m.Expr:
    at = n.at(node)
    pairs: list[tuple[m.Expr | None, m.Expr]] = []
    for element in node.elements:
        key = expression(n, element.key) if isinstance(element, cst.DictElement) else None
        pairs.append((key, expression(n, element.value)))
    return m.Dict(at, tuple(pairs))


def _index(n: Numbering, part: cst.BaseSlice) -> m.Expr:
    if isinstance(part, cst.Index):
        return expression(n, part.value)
    assert isinstance(part, cst.Slice)
    at = n.at(part)
    bounds = [expression(n, b) for b in (part.lower, part.upper, part.step) if b is not None]
    return m.Op(at, "slice", tuple(bounds))


def _subscript(n: Numbering, node: cst.Subscript) -> m.Expr:
    at = n.at(node)
    value = expression(n, node.value)
    only = node.slice[0].slice
    if (
        len(node.slice) == 1
        and isinstance(only, cst.Index)
        and isinstance(only.value, cst.Tuple)
        and only.value.elements
    ):
        # `a[b, c]` and `a[(b, c)]` are the same program, and have the same facts.
        return m.Item(at, value, tuple([expression(n, element.value) for element in only.value.elements]))
    return m.Item(at, value, tuple([_index(n, element.slice) for element in node.slice]))


def _binary(n: Numbering, node: cst.BinaryOperation | cst.BooleanOperation) -> m.Expr:
    at = n.at(node)
    kind = type(node.operator)
    right: list[cst.BaseExpression] = [node.right]
    left = node.left
    while isinstance(left, type(node)) and type(left.operator) is kind and kind is not cst.Power:
        right.append(left.right)
        left = left.left
    operands = [expression(n, left)]
    operands.extend([expression(n, operand) for operand in reversed(right)])
    return m.Op(at, _BINARY[kind], tuple(operands))


def _unary(n: Numbering, node: cst.UnaryOperation) -> m.Expr:
    at = n.at(node)
    operand = expression(n, node.expression)
    op = _UNARY[type(node.operator)]
    if op == "neg" and isinstance(operand, m.Const) and isinstance(operand.value, int | float):
        return m.Const(at, -operand.value)
    return m.Op(at, op, (operand,))


def _comparison(n: Numbering, node: cst.Comparison) -> m.Expr:
    at = n.at(node)
    operands = [expression(n, node.left)]
    operands.extend([expression(n, target.comparator) for target in node.comparisons])
    operators = {_COMPARE[type(target.operator)] for target in node.comparisons}
    return m.Op(at, operators.pop() if len(operators) == 1 else "compare", tuple(operands))


def _choice(n: Numbering, node: cst.IfExp) -> m.Expr:
    at = n.at(node)
    then = expression(n, node.body)
    test = expression(n, node.test)
    return m.Choice(at, test, then, expression(n, node.orelse))


def _param(n: Numbering, p: cst.Param, kind: Any) -> m.Param:
    annotation = _optional(n, p.annotation.annotation) if p.annotation is not None else None
    return m.Param(p.name.value, kind, _optional(n, p.default), annotation)


def parameters(n: Numbering, ps: cst.Parameters) -> tuple[m.Param, ...]:
    """The parameters of a function or lambda, in source order."""
    found = [_param(n, p, "positional") for p in ps.posonly_params]
    found.extend([_param(n, p, "plain") for p in ps.params])
    if isinstance(ps.star_arg, cst.Param):
        found.append(_param(n, ps.star_arg, "*"))
    found.extend([_param(n, p, "keyword") for p in ps.kwonly_params])
    if ps.star_kwarg is not None:
        found.append(_param(n, ps.star_kwarg, "**"))
    return tuple(found)


def _lambda(n: Numbering, node: cst.Lambda) -> m.Expr:
    at = n.at(node)
    params = parameters(n, node.params)
    return m.Lambda(at, params, expression(n, node.body))


def _loops(n: Numbering, clause: cst.CompFor | None) -> tuple[m.CompFor, ...]:
    found: list[m.CompFor] = []
    while clause is not None:
        target, source = expression(n, clause.target), expression(n, clause.iter)
        found.append(m.CompFor(target, source, tuple([expression(n, i.test) for i in clause.ifs])))
        clause = clause.inner_for_in
    return tuple(found)


def _comprehension(kind: Any) -> Convert:
    def convert(n: Numbering, node: Any) -> m.Expr:
        at = n.at(node)
        parts = (node.key, node.value) if kind == "dict" else (node.elt,)
        items = tuple([expression(n, part) for part in parts])
        return m.Comp(at, kind, items, _loops(n, node.for_in))

    return convert


def _walrus(n: Numbering, node: cst.NamedExpr) -> m.Expr:
    at = n.at(node)
    target = expression(n, node.target)
    return m.Walrus(at, target, expression(n, node.value))


def _await(n: Numbering, node: cst.Await) -> m.Expr:
    at = n.at(node)
    return m.Op(at, "await", (expression(n, node.expression),))


def _yield(n: Numbering, node: cst.Yield) -> m.Expr:
    at = n.at(node)
    if node.value is None:
        return m.Op(at, "yield", ())
    if isinstance(node.value, cst.From):
        return m.Op(at, "yield from", (expression(n, node.value.item),))
    return m.Op(at, "yield", (expression(n, node.value),))


def _ellipsis(n: Numbering, node: cst.Ellipsis) -> m.Expr:
    return m.Const(n.at(node), ...)


def _starred(n: Numbering, node: cst.StarredElement) -> m.Expr:
    at = n.at(node)
    return m.Star(at, expression(n, node.value))


_TABLE: dict[type, Convert] = {
    cst.Name: _name,
    cst.Attribute: _attribute,
    cst.Call: _call,
    cst.Integer: _literal,
    cst.Float: _literal,
    cst.Imaginary: _literal,
    cst.SimpleString: _literal,
    cst.ConcatenatedString: _joined,
    cst.FormattedString: _formatted,
    cst.Tuple: _seq("tuple"),
    cst.List: _seq("list"),
    cst.Set: _seq("set"),
    cst.Dict: _dict,
    cst.Subscript: _subscript,
    cst.BinaryOperation: _binary,
    cst.BooleanOperation: _binary,
    cst.UnaryOperation: _unary,
    cst.Comparison: _comparison,
    cst.IfExp: _choice,
    cst.Lambda: _lambda,
    cst.ListComp: _comprehension("list"),
    cst.SetComp: _comprehension("set"),
    cst.GeneratorExp: _comprehension("generator"),
    cst.DictComp: _comprehension("dict"),
    cst.NamedExpr: _walrus,
    cst.Await: _await,
    cst.Yield: _yield,
    cst.Ellipsis: _ellipsis,
    cst.StarredElement: _starred,
}
if hasattr(cst, "TemplatedString"):
    _TABLE[cst.TemplatedString] = _formatted
