"""Verbs that change one expression. Each takes the LibCST node and its words and gives the new node."""

from collections.abc import Callable

import libcst as cst

from bnlint.errors import BnlintError

Words = tuple[str, ...]


class CannotApply(BnlintError):
    """An edit does not fit the code it was made for; its fix is left out and said so."""


def need(condition: object, expected: str, node: cst.CSTNode) -> None:
    """Refuse an edit whose node is not of the kind the verb is for."""
    if not condition:
        raise CannotApply(f"got {type(node).__name__}, expected {expected}")


def parsed(text: str) -> cst.BaseExpression:
    """An expression given as text."""
    try:
        return cst.parse_expression(text)
    except cst.ParserSyntaxError as error:
        raise CannotApply(f"got {text!r}, expected an expression") from error


def call(node: cst.CSTNode, _: Words) -> cst.CSTNode:
    """``model.eval`` → ``model.eval()``."""
    need(isinstance(node, cst.BaseExpression), "an expression", node)
    assert isinstance(node, cst.BaseExpression)
    return cst.Call(func=node)


def replace(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """Put the expression `words[0]` in place of the node, in parentheses where the node had some."""
    need(isinstance(node, cst.BaseExpression), "an expression", node)
    assert isinstance(node, cst.BaseExpression)
    new = parsed(words[0])
    if not new.lpar and node.lpar:
        return new.with_changes(lpar=node.lpar, rpar=node.rpar)
    return new


def rename_attribute(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """``value.old`` → ``value.new``."""
    need(isinstance(node, cst.Attribute), "an attribute", node)
    assert isinstance(node, cst.Attribute)
    return node.with_changes(attr=node.attr.with_changes(value=words[0]))


def _call(node: cst.CSTNode) -> cst.Call:
    need(isinstance(node, cst.Call), "a call", node)
    assert isinstance(node, cst.Call)
    return node


def _keyword(node: cst.Call, name: str) -> int | None:
    return next((n for n, a in enumerate(node.args) if a.keyword is not None and a.keyword.value == name), None)


def add_keyword(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """``f(a)`` → ``f(a, name=value)``, laid out as the arguments before it."""
    node = _call(node)
    name, value = words
    if _keyword(node, name) is not None:
        raise CannotApply(f"the call already has {name}=")
    new = cst.Arg(
        parsed(value),
        keyword=cst.Name(name),
        equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
    )
    args = list(node.args)
    if not args:
        return node.with_changes(args=[new])
    last = args[-1]
    if len(args) == 1 and isinstance(last.value, cst.GeneratorExp) and not last.value.lpar:
        last = last.with_changes(value=last.value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()]))
    between = _between(node)
    if isinstance(last.comma, cst.Comma):
        comma, between = _keep_comment(last.comma, between)
        args[-1:] = [last.with_changes(comma=cst.Comma(whitespace_after=between)), new.with_changes(comma=comma)]
    else:
        after = last.whitespace_after_arg
        last = last.with_changes(
            comma=cst.Comma(whitespace_after=between), whitespace_after_arg=cst.SimpleWhitespace("")
        )
        args[-1:] = [last, new.with_changes(whitespace_after_arg=after)]
    return node.with_changes(args=args)


def _keep_comment(
    last: cst.Comma, between: cst.BaseParenthesizableWhitespace
) -> tuple[cst.Comma, cst.BaseParenthesizableWhitespace]:
    """A comment behind the last argument stays behind it when another one follows."""
    space = last.whitespace_after
    if not isinstance(space, cst.ParenthesizedWhitespace) or space.first_line.comment is None:
        return last, between
    if not isinstance(between, cst.ParenthesizedWhitespace):
        return last, between
    bare = space.with_changes(first_line=cst.TrailingWhitespace(newline=space.first_line.newline))
    return last.with_changes(whitespace_after=bare), between.with_changes(first_line=space.first_line)


def _between(node: cst.Call) -> cst.BaseParenthesizableWhitespace:
    """The whitespace between two arguments of this call: what is there already, else what stands before the first."""
    if len(node.args) > 1:
        comma = node.args[-2].comma
        assert isinstance(comma, cst.Comma)
        space = comma.whitespace_after
        # A comment there belongs to the argument before; only the line break is wanted.
        if isinstance(space, cst.ParenthesizedWhitespace):
            return space.with_changes(
                first_line=cst.TrailingWhitespace(newline=space.first_line.newline), empty_lines=[]
            )
        return space
    before = node.whitespace_before_args
    if isinstance(before, cst.ParenthesizedWhitespace):
        return before.with_changes(first_line=cst.TrailingWhitespace(newline=before.first_line.newline), empty_lines=[])
    return cst.SimpleWhitespace(" ")


def set_keyword(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """``f(name=old)`` → ``f(name=value)``; adds the keyword where it is missing."""
    node = _call(node)
    number = _keyword(node, words[0])
    if number is None:
        return add_keyword(node, words)
    args = list(node.args)
    args[number] = args[number].with_changes(value=parsed(words[1]))
    return node.with_changes(args=args)


def set_argument(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """Replace the value of argument number `words[0]` (0-based, as written) by `words[1]`."""
    node = _call(node)
    number = int(words[0])
    need(number < len(node.args), f"a call with more than {number} arguments", node)
    args = list(node.args)
    args[number] = args[number].with_changes(value=parsed(words[1]))
    return node.with_changes(args=args)


def name_argument(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """Give argument number `words[0]` (0-based, the last positional one) the keyword `words[1]`."""
    node = _call(node)
    number = int(words[0])
    need(number < len(node.args), f"a call with more than {number} arguments", node)
    if any(a.keyword is None and not a.star for a in node.args[number + 1 :]):
        raise CannotApply("positional arguments would follow a keyword")
    args = list(node.args)
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    args[number] = args[number].with_changes(keyword=cst.Name(words[1]), equal=equal)
    return node.with_changes(args=args)


def rename_keyword(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """``f(old=x)`` → ``f(new=x)``."""
    node = _call(node)
    number = _keyword(node, words[0])
    if number is None:
        raise CannotApply(f"the call has no {words[0]}=")
    args = list(node.args)
    args[number] = args[number].with_changes(keyword=cst.Name(words[1]))
    return node.with_changes(args=args)


def remove_argument(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """Remove an argument by keyword, or by its 0-based number."""
    node = _call(node)
    number = int(words[0]) if words[0].isdigit() else _keyword(node, words[0])
    if number is None or number >= len(node.args):
        raise CannotApply(f"the call has no argument {words[0]}")
    args = list(node.args)
    gone = args.pop(number)
    if args and number == len(args):
        args[-1] = args[-1].with_changes(comma=gone.comma, whitespace_after_arg=gone.whitespace_after_arg)
    return node.with_changes(args=args)


def dropout_to_functional(node: cst.CSTNode, words: Words) -> cst.CSTNode:
    """``nn.Dropout(0.5)(x)`` → ``nn.functional.dropout(x, 0.5, training=self.training)``; `words` name the function."""
    node = _call(node)
    maker = node.func
    if not isinstance(maker, cst.Call) or not isinstance(maker.func, cst.Attribute) or len(node.args) != 1:
        raise CannotApply("got another call, expected `nn.Dropout(p)(x)`")
    given = [
        arg.with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
        for arg in (*node.args, *maker.args)
    ]
    function = cst.Attribute(maker.func.with_changes(attr=cst.Name("functional")), cst.Name(words[0]))
    made = node.with_changes(func=function, args=given)
    made = made.with_changes(args=[*made.args[:-1], made.args[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)])
    return add_keyword(made, ("training", "self.training"))


VERBS: dict[str, Callable[[cst.CSTNode, Words], cst.CSTNode]] = {
    "call": call,
    "replace": replace,
    "rename_attribute": rename_attribute,
    "add_keyword": add_keyword,
    "set_keyword": set_keyword,
    "set_argument": set_argument,
    "name_argument": name_argument,
    "rename_keyword": rename_keyword,
    "remove_argument": remove_argument,
    "dropout_to_functional": dropout_to_functional,
}
