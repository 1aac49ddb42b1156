"""Verbs that change a statement or what stands around it. Each gives the statements that take the place of one."""

from collections.abc import Callable, Sequence

import libcst as cst

from bnlint.fixes.expressions import CannotApply, Words, need, parsed

Statement = cst.BaseStatement
Lines = list[Statement]


def written(text: str) -> Lines:
    """Statements given as text."""
    try:
        found = cst.parse_module(text if text.endswith("\n") else text + "\n").body
    except cst.ParserSyntaxError as error:
        raise CannotApply(f"got {text!r}, expected statements") from error
    return list(found)


def insert_before(lines: Lines, words: Words) -> Lines:
    """Write `words[0]` above; comments that stand above the statement stay with it, and blank lines above all."""
    first = lines[0]
    leading: Sequence[cst.EmptyLine] = getattr(first, "leading_lines", ())
    blank = 0
    while blank < len(leading) and leading[blank].comment is None:
        blank += 1
    new = written(words[0])
    new[0] = new[0].with_changes(leading_lines=leading[:blank])
    return [*new, first.with_changes(leading_lines=leading[blank:]), *lines[1:]]


def insert_after(lines: Lines, words: Words) -> Lines:
    """Write `words[0]` below."""
    return [*lines, *written(words[0])]


def wrap_in_with(lines: Lines, words: Words) -> Lines:
    """Put the statement under ``with words[0]:``."""
    first = lines[0]
    leading = getattr(first, "leading_lines", ())
    body = cst.IndentedBlock(body=[first.with_changes(leading_lines=()), *lines[1:]])
    return [cst.With(items=[cst.WithItem(parsed(words[0]))], body=body, leading_lines=leading)]


def remove(lines: Lines, _: Words) -> Lines:
    """Take the statement away, and the comments above it."""
    del lines
    return []


# `around`: what stands in the block; these may give several statements or none.
AROUND: dict[str, Callable[[Lines, Words], Lines]] = {
    "insert_before": insert_before,
    "insert_after": insert_after,
    "wrap_in_with": wrap_in_with,
    "remove": remove,
}


def _indented(node: cst.CSTNode) -> cst.IndentedBlock:
    body = getattr(node, "body", None)
    need(isinstance(body, cst.BaseSuite), "a statement with a block", node)
    if isinstance(body, cst.IndentedBlock):
        return body
    assert isinstance(body, cst.SimpleStatementSuite)
    line = cst.SimpleStatementLine(body.body, trailing_whitespace=body.trailing_whitespace)
    return cst.IndentedBlock(body=[line])


def append_to_body(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """Write `words[0]` at the end of the block."""
    block = _indented(node)
    new = written(words[0])
    if isinstance(new[0], cst.FunctionDef):
        new[0] = new[0].with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    return node.with_changes(body=block.with_changes(body=[*block.body, *new]))


def add_else(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """``if test: …`` → ``if test: …`` with `words[0]` in its ``else``."""
    if not isinstance(node, cst.If) or node.orelse is not None:
        raise CannotApply("got another statement, expected an `if` without an `else`")
    return node.with_changes(orelse=cst.Else(body=cst.IndentedBlock(body=written(words[0]))))


def prepend_to_body(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """Write `words[0]` at the beginning of the block, below a docstring."""
    block = _indented(node)
    at = 1 if block.body and _is_docstring(block.body[0]) else 0
    return node.with_changes(body=block.with_changes(body=[*block.body[:at], *written(words[0]), *block.body[at:]]))


def _is_docstring(line: cst.CSTNode) -> bool:
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return False
    only = line.body[0]
    return isinstance(only, cst.Expr) and isinstance(only.value, cst.SimpleString | cst.ConcatenatedString)


def add_parameter(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """``def f(a)`` → ``def f(a, name=default)``; `words` are the name and the text of the default (or nothing)."""
    need(isinstance(node, cst.FunctionDef), "a function", node)
    assert isinstance(node, cst.FunctionDef)
    params = node.params
    names = [p.name.value for p in (*params.posonly_params, *params.params, *params.kwonly_params)]
    name = words[0]
    if name in names:
        raise CannotApply(f"the function already has a parameter {name}")
    default = parsed(words[1]) if len(words) > 1 else None
    equal = (
        cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")) if default else cst.MaybeSentinel.DEFAULT
    )
    new = cst.Param(cst.Name(name), default=default, equal=equal)
    before = list(params.params)
    if before and isinstance(before[-1].comma, cst.Comma):
        trailing = before[-1].comma
        between = before[-2].comma if len(before) > 1 else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        before[-1] = before[-1].with_changes(comma=between)
        new = new.with_changes(comma=trailing)
    return node.with_changes(params=params.with_changes(params=[*before, new]))


# `within`: the statement stays one statement.
WITHIN: dict[str, Callable[[cst.CSTNode, Words], cst.CSTNode]] = {
    "append_to_body": append_to_body,
    "add_else": add_else,
    "prepend_to_body": prepend_to_body,
    "add_parameter": add_parameter,
}


def add_import(module: cst.Module, words: Words) -> cst.Module:
    """Write the import `words[0]` below the last import that stands at the top of the file."""
    new = written(words[0])
    body = list(module.body)
    text = words[0].strip()
    if any(module.code_for_node(line).strip() == text for line in body):
        return module
    after = 0
    for number, line in enumerate(body):
        if _is_import(line):
            after = number + 1
        elif not (number == 0 and _is_docstring(line)):
            break
        else:
            after = 1
    return module.with_changes(body=[*body[:after], *new, *body[after:]])


def _is_import(line: cst.CSTNode) -> bool:
    return isinstance(line, cst.SimpleStatementLine) and all(
        isinstance(s, cst.Import | cst.ImportFrom) for s in line.body
    )
