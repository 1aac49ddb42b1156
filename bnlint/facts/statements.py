"""LibCST statements → facts. One small function per kind of node, in a table."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import libcst as cst

from bnlint.facts import model as m
from bnlint.facts.expressions import Numbering, arguments, expression, parameters


class Recorder(Numbering, Protocol):
    """A numbering that also keeps the comments it is shown."""

    def comment(self, at: int, text: str) -> None: ...


Convert = Callable[[Recorder, Any], m.Stmt]


def block(r: Recorder, body: Iterable[Any]) -> m.Block:
    """The facts of a list of statements; those joined by ``;`` stand one after the other."""
    found: list[m.Stmt] = []
    for node in body:
        first = len(found)
        if isinstance(node, cst.SimpleStatementLine):
            found.extend([_TABLE[type(small)](r, small) for small in node.body])
            _comments(r, found[first].at if len(found) > first else 0, node.leading_lines, node.trailing_whitespace)
        elif isinstance(node, cst.BaseCompoundStatement):
            found.append(_TABLE[type(node)](r, node))
            _comments(r, found[first].at, node.leading_lines, _header(node))
        else:
            found.append(_TABLE[type(node)](r, node))
    return tuple(found)


def _header(node: Any) -> cst.TrailingWhitespace | None:
    body = getattr(node, "body", None)
    return body.header if isinstance(body, cst.IndentedBlock) else None


def _comments(r: Recorder, at: int, leading: Iterable[cst.EmptyLine], trailing: cst.TrailingWhitespace | None) -> None:
    for line in leading:
        if line.comment is not None:
            r.comment(at, line.comment.value)
    if trailing is not None and trailing.comment is not None:
        r.comment(at, trailing.comment.value)


def _body(r: Recorder, suite: cst.BaseSuite) -> m.Block:
    return block(r, suite.body)


def _assign(r: Recorder, node: cst.Assign) -> m.Stmt:
    at = r.at(node)
    targets = tuple([expression(r, t.target) for t in node.targets])
    return m.Assign(at, targets, expression(r, node.value))


def _annotated(r: Recorder, node: cst.AnnAssign) -> m.Stmt:
    at = r.at(node)
    target, annotation = expression(r, node.target), expression(r, node.annotation.annotation)
    value = expression(r, node.value) if node.value is not None else None
    return m.Assign(at, (target,), value, "=", annotation)


def _augmented(r: Recorder, node: cst.AugAssign) -> m.Stmt:
    at = r.at(node)
    target = expression(r, node.target)
    return m.Assign(at, (target,), expression(r, node.value), _AUGMENTED[type(node.operator)])


_AUGMENTED = {
    cst.AddAssign: "+=", cst.SubtractAssign: "-=", cst.MultiplyAssign: "*=", cst.DivideAssign: "/=",
    cst.FloorDivideAssign: "//=", cst.ModuloAssign: "%=", cst.PowerAssign: "**=", cst.MatrixMultiplyAssign: "@=",
    cst.BitAndAssign: "&=", cst.BitOrAssign: "|=", cst.BitXorAssign: "^=", cst.LeftShiftAssign: "<<=",
    cst.RightShiftAssign: ">>=",
}  # fmt: skip


def _do(r: Recorder, node: cst.Expr) -> m.Stmt:
    at = r.at(node)
    return m.Do(at, expression(r, node.value))


def _return(r: Recorder, node: cst.Return) -> m.Stmt:
    at = r.at(node)
    return m.Return(at, expression(r, node.value) if node.value is not None else None)


def _raise(r: Recorder, node: cst.Raise) -> m.Stmt:
    at = r.at(node)
    value = expression(r, node.exc) if node.exc is not None else None
    return m.Raise(at, value, expression(r, node.cause.item) if node.cause is not None else None)


def _delete(r: Recorder, node: cst.Del) -> m.Stmt:
    at = r.at(node)
    bare = isinstance(node.target, cst.Tuple) and not node.target.lpar
    targets = [element.value for element in node.target.elements] if bare else [node.target]  # type: ignore[attr-defined]
    return m.Delete(at, tuple([expression(r, target) for target in targets]))


def _assert(r: Recorder, node: cst.Assert) -> m.Stmt:
    at = r.at(node)
    test = expression(r, node.test)
    return m.Assert(at, test, expression(r, node.msg) if node.msg is not None else None)


def _jump(kind: Any) -> Convert:
    def convert(r: Recorder, node: Any) -> m.Stmt:
        return m.Jump(r.at(node), kind)

    return convert


def _outer(kind: Any) -> Convert:
    def convert(r: Recorder, node: Any) -> m.Stmt:
        return m.Outer(r.at(node), kind, tuple([item.name.value for item in node.names]))

    return convert


def _dotted(node: cst.BaseExpression | None) -> str:
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if isinstance(node, cst.Name):
        parts.append(node.value)
    return ".".join(reversed(parts))


def _alias(alias: cst.ImportAlias) -> m.Alias:
    asname = alias.asname.name if alias.asname is not None else None
    return m.Alias(_dotted(alias.name), asname.value if isinstance(asname, cst.Name) else None)


def _import(r: Recorder, node: cst.Import) -> m.Stmt:
    return m.Import(r.at(node), tuple([_alias(alias) for alias in node.names]))


def _from(r: Recorder, node: cst.ImportFrom) -> m.Stmt:
    star = isinstance(node.names, cst.ImportStar)
    names = (m.Alias("*"),) if star else tuple([_alias(a) for a in node.names])  # type: ignore[union-attr]
    return m.From(r.at(node), _dotted(node.module), len(node.relative), names)


def _type_alias(r: Recorder, node: Any) -> m.Stmt:
    at = r.at(node)
    return m.Assign(at, (m.Name(at, node.name.value),), expression(r, node.value))


def _else(r: Recorder, node: cst.Else | cst.If | None) -> m.Block:
    if node is None:
        return ()
    return (_if(r, node),) if isinstance(node, cst.If) else _body(r, node.body)


def _if(r: Recorder, node: cst.If) -> m.Stmt:
    at = r.at(node)
    test = expression(r, node.test)
    body = _body(r, node.body)
    return m.If(at, test, body, _else(r, node.orelse))


def _for(r: Recorder, node: cst.For) -> m.Stmt:
    at = r.at(node)
    target, source = expression(r, node.target), expression(r, node.iter)
    body = _body(r, node.body)
    return m.For(at, target, source, body, _else(r, node.orelse))


def _while(r: Recorder, node: cst.While) -> m.Stmt:
    at = r.at(node)
    test = expression(r, node.test)
    body = _body(r, node.body)
    return m.While(at, test, body, _else(r, node.orelse))


def _with(r: Recorder, node: cst.With) -> m.Stmt:
    at = r.at(node)
    items: list[m.WithItem] = []
    for item in node.items:
        context = expression(r, item.item)
        items.append(m.WithItem(context, expression(r, item.asname.name) if item.asname is not None else None))
    return m.With(at, tuple(items), _body(r, node.body))


def _handler(r: Recorder, node: cst.ExceptHandler | cst.ExceptStarHandler) -> m.Handler:
    kind = expression(r, node.type) if node.type is not None else None
    name = node.name.name if node.name is not None else None
    return m.Handler(kind, name.value if isinstance(name, cst.Name) else None, _body(r, node.body))


def _try(r: Recorder, node: cst.Try | cst.TryStar) -> m.Stmt:
    at = r.at(node)
    body = _body(r, node.body)
    handlers = tuple([_handler(r, h) for h in node.handlers])
    orelse = _else(r, node.orelse)
    final = _body(r, node.finalbody.body) if node.finalbody is not None else ()
    return m.Try(at, body, handlers, orelse, final)


def _bound(pattern: Any) -> tuple[str, ...]:
    """Names that a match pattern binds, sorted."""
    found: list[str] = []
    stack = [pattern]
    while stack:
        node = stack.pop()
        if isinstance(node, cst.MatchAs | cst.MatchStar) and node.name is not None:
            found.append(node.name.value)
        if isinstance(node, cst.MatchMapping) and node.rest is not None:
            found.append(node.rest.value)
        if isinstance(node, cst.CSTNode):
            stack.extend(reversed(node.children))
    return tuple(sorted(set(found)))


def _match(r: Recorder, node: cst.Match) -> m.Stmt:
    at = r.at(node)
    subject = expression(r, node.subject)
    cases: list[m.Case] = []
    for case in node.cases:
        guard = expression(r, case.guard) if case.guard is not None else None
        cases.append(m.Case(_bound(case.pattern), guard, _body(r, case.body)))
    return m.Match(at, subject, tuple(cases))


def _function(r: Recorder, node: cst.FunctionDef) -> m.Stmt:
    at = r.at(node)
    decorators = tuple([expression(r, d.decorator) for d in node.decorators])
    params = parameters(r, node.params)
    return m.Function(at, node.name.value, params, _body(r, node.body), decorators)


def _class(r: Recorder, node: cst.ClassDef) -> m.Stmt:
    at = r.at(node)
    decorators = tuple([expression(r, d.decorator) for d in node.decorators])
    bases = arguments(r, (*node.bases, *node.keywords))
    return m.Class(at, node.name.value, bases, _body(r, node.body), decorators)


_TABLE: dict[type, Convert] = {
    cst.Assign: _assign,
    cst.AnnAssign: _annotated,
    cst.AugAssign: _augmented,
    cst.Expr: _do,
    cst.Return: _return,
    cst.Raise: _raise,
    cst.Del: _delete,
    cst.Assert: _assert,
    cst.Pass: _jump("pass"),
    cst.Break: _jump("break"),
    cst.Continue: _jump("continue"),
    cst.Global: _outer("global"),
    cst.Nonlocal: _outer("nonlocal"),
    cst.Import: _import,
    cst.ImportFrom: _from,
    cst.TypeAlias: _type_alias,
    cst.If: _if,
    cst.For: _for,
    cst.While: _while,
    cst.With: _with,
    cst.Try: _try,
    cst.TryStar: _try,
    cst.Match: _match,
    cst.FunctionDef: _function,
    cst.ClassDef: _class,
}
