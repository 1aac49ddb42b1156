"""Python's own syntax trees → facts of statements: the fast way, number for number the same as :mod:`.statements`."""

import ast
from collections.abc import Callable, Iterable
from typing import Any

from bnlint.facts import model as m
from bnlint.facts.python_expressions import AT, Nodes, arguments, expression, optional, parameters

Convert = Callable[[Nodes, Any], m.Stmt]
_AUGMENTED: dict[type, str] = {
    ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/=", ast.FloorDiv: "//=", ast.Mod: "%=", ast.Pow: "**=",
    ast.MatMult: "@=", ast.BitAnd: "&=", ast.BitOr: "|=", ast.BitXor: "^=", ast.LShift: "<<=", ast.RShift: ">>=",
}  # fmt: skip


def block(nodes: Nodes, body: Iterable[ast.stmt]) -> m.Block:
    """The facts of a list of statements."""
    return tuple([_TABLE[type(node)](nodes, node) for node in body])


def _number(nodes: Nodes, node: ast.AST) -> int:
    nodes.append(node)
    return AT[len(nodes) - 1]


def _assign(nodes: Nodes, node: ast.Assign) -> m.Stmt:
    at = _number(nodes, node)
    targets = tuple([expression(nodes, target) for target in node.targets])
    return m.Assign(at, targets, expression(nodes, node.value))


def _annotated(nodes: Nodes, node: ast.AnnAssign) -> m.Stmt:
    at = _number(nodes, node)
    target, annotation = expression(nodes, node.target), expression(nodes, node.annotation)
    return m.Assign(at, (target,), optional(nodes, node.value), "=", annotation)


def _augmented(nodes: Nodes, node: ast.AugAssign) -> m.Stmt:
    at = _number(nodes, node)
    target = expression(nodes, node.target)
    return m.Assign(at, (target,), expression(nodes, node.value), _AUGMENTED[type(node.op)])


def _do(nodes: Nodes, node: ast.Expr) -> m.Stmt:
    at = _number(nodes, node)
    return m.Do(at, expression(nodes, node.value))


def _return(nodes: Nodes, node: ast.Return) -> m.Stmt:
    at = _number(nodes, node)
    return m.Return(at, optional(nodes, node.value))


def _raise(nodes: Nodes, node: ast.Raise) -> m.Stmt:
    at = _number(nodes, node)
    value = optional(nodes, node.exc)
    return m.Raise(at, value, optional(nodes, node.cause))


def _delete(nodes: Nodes, node: ast.Delete) -> m.Stmt:
    at = _number(nodes, node)
    return m.Delete(at, tuple([expression(nodes, target) for target in node.targets]))


def _assert(nodes: Nodes, node: ast.Assert) -> m.Stmt:
    at = _number(nodes, node)
    test = expression(nodes, node.test)
    return m.Assert(at, test, optional(nodes, node.msg))


def _jump(kind: Any) -> Convert:
    def convert(nodes: Nodes, node: Any) -> m.Stmt:
        return m.Jump(_number(nodes, node), kind)

    return convert


def _outer(kind: Any) -> Convert:
    def convert(nodes: Nodes, node: Any) -> m.Stmt:
        return m.Outer(_number(nodes, node), kind, tuple(node.names))

    return convert


def _aliases(names: list[ast.alias]) -> tuple[m.Alias, ...]:
    return tuple([m.Alias(alias.name, alias.asname) for alias in names])


def _import(nodes: Nodes, node: ast.Import) -> m.Stmt:
    return m.Import(_number(nodes, node), _aliases(node.names))


def _from(nodes: Nodes, node: ast.ImportFrom) -> m.Stmt:
    return m.From(_number(nodes, node), node.module or "", node.level, _aliases(node.names))


def _type_alias(nodes: Nodes, node: Any) -> m.Stmt:
    at = _number(nodes, node)
    return m.Assign(at, (m.Name(at, node.name.id),), expression(nodes, node.value))


def _if(nodes: Nodes, node: ast.If) -> m.Stmt:
    at = _number(nodes, node)
    test = expression(nodes, node.test)
    body = block(nodes, node.body)
    return m.If(at, test, body, block(nodes, node.orelse))


def _for(nodes: Nodes, node: ast.For | ast.AsyncFor) -> m.Stmt:
    at = _number(nodes, node)
    target, source = expression(nodes, node.target), expression(nodes, node.iter)
    body = block(nodes, node.body)
    return m.For(at, target, source, body, block(nodes, node.orelse))


def _while(nodes: Nodes, node: ast.While) -> m.Stmt:
    at = _number(nodes, node)
    test = expression(nodes, node.test)
    body = block(nodes, node.body)
    return m.While(at, test, body, block(nodes, node.orelse))


def _with(nodes: Nodes, node: ast.With | ast.AsyncWith) -> m.Stmt:
    at = _number(nodes, node)
    items = [m.WithItem(expression(nodes, i.context_expr), optional(nodes, i.optional_vars)) for i in node.items]
    return m.With(at, tuple(items), block(nodes, node.body))


def _try(nodes: Nodes, node: Any) -> m.Stmt:
    at = _number(nodes, node)
    body = block(nodes, node.body)
    handlers = [m.Handler(optional(nodes, h.type), h.name, block(nodes, h.body)) for h in node.handlers]
    orelse = block(nodes, node.orelse)
    return m.Try(at, body, tuple(handlers), orelse, block(nodes, node.finalbody))


def _bound(pattern: ast.AST) -> tuple[str, ...]:
    """Names that a match pattern binds, sorted."""
    names = [getattr(node, "rest", None) or getattr(node, "name", None) for node in ast.walk(pattern)]
    return tuple(sorted({name for name in names if name is not None}))


def _match(nodes: Nodes, node: ast.Match) -> m.Stmt:
    at = _number(nodes, node)
    subject = expression(nodes, node.subject)
    cases: list[m.Case] = []
    for case in node.cases:
        guard = optional(nodes, case.guard)
        cases.append(m.Case(_bound(case.pattern), guard, block(nodes, case.body)))
    return m.Match(at, subject, tuple(cases))


def _function(nodes: Nodes, node: ast.FunctionDef | ast.AsyncFunctionDef) -> m.Stmt:
    at = _number(nodes, node)
    decorators = tuple([expression(nodes, decorator) for decorator in node.decorator_list])
    params = parameters(nodes, node.args)
    return m.Function(at, node.name, params, block(nodes, node.body), decorators)


def _class(nodes: Nodes, node: ast.ClassDef) -> m.Stmt:
    at = _number(nodes, node)
    decorators = tuple([expression(nodes, decorator) for decorator in node.decorator_list])
    bases = arguments(nodes, node.bases, node.keywords)
    return m.Class(at, node.name, bases, block(nodes, node.body), decorators)


_TABLE: dict[type, Convert] = {
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Expr: _do,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Delete: _delete,
    ast.Assert: _assert,
    ast.Pass: _jump("pass"),
    ast.Break: _jump("break"),
    ast.Continue: _jump("continue"),
    ast.Global: _outer("global"),
    ast.Nonlocal: _outer("nonlocal"),
    ast.Import: _import,
    ast.ImportFrom: _from,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.Match: _match,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
}
if hasattr(ast, "TypeAlias"):  # Python 3.12
    _TABLE[ast.TypeAlias] = _type_alias
