"""Facts are what the text says: every construct of Python has a record, numbered in source order, and can be located."""

import ast
import pickle
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnlint.facts import model as m
from bnlint.facts.extract import extract
from bnlint.facts.locate import locate
from bnlint.facts.walk import calls, children, dotted, walk

STDLIB = Path(ast.__file__).parent


def facts(text: str) -> m.FileFacts:
    """Facts of a text that must parse."""
    found = extract("a.py", "digest", text)
    assert found.problem is None, found.problem
    return found


def expression(text: str) -> m.Expr:
    """The facts of one expression."""
    (statement,) = facts(text + "\n").body
    assert isinstance(statement, m.Do)
    return statement.value


def test_a_call_keeps_positional_keyword_and_star_arguments_in_order():
    """Rules look at arguments by position and by name."""
    call = expression("f.g(a, *b, c=1, **d)")
    assert isinstance(call, m.Call)
    assert dotted(call.func) == "f.g"
    assert [(a.keyword, a.star) for a in call.args] == [(None, ""), (None, "*"), ("c", ""), (None, "**")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", True),
        ("None", None),
        ("0.99", 0.99),
        ("-1", -1),
        ("1_000", 1000),
        ("'a' \"b\"", "ab"),
        ("b'x'", b"x"),
        ("...", ...),
    ],
)
def test_a_literal_is_its_value(text, value):
    """Constants are compared by value, whatever their spelling; a minus sign belongs to the number."""
    found = expression(text)
    assert isinstance(found, m.Const)
    assert found.value == value
    assert type(found.value) is type(value)


def test_a_chain_of_one_operator_is_flat():
    """Ten thousand operands are one record, so depth is no limit where programs are long."""
    found = expression(" + ".join(["x"] * 3000))
    assert isinstance(found, m.Op)
    assert found.op == "+"
    assert len(found.args) == 3000


def test_power_keeps_its_right_associativity():
    """``a ** b ** c`` means ``a ** (b ** c)`` and must not be flattened."""
    found = expression("a ** b ** c")
    assert isinstance(found, m.Op)
    assert len(found.args) == 2
    assert isinstance(found.args[1], m.Op)


def test_a_chained_comparison_is_one_record_of_all_its_operands():
    """``0 < f() < 1`` calls f once, so the call stands in the facts once."""
    found = expression("0 < f() < 1")
    assert isinstance(found, m.Op)
    assert (found.op, len(found.args)) == ("<", 3)
    assert len(list(calls(found))) == 1


def test_an_elif_is_an_if_alone_in_the_else():
    """Branches are read by one rule."""
    (statement,) = facts("if a:\n    b\nelif c:\n    d\nelse:\n    e\n").body
    assert isinstance(statement, m.If)
    (inner,) = statement.orelse
    assert isinstance(inner, m.If)
    assert inner.orelse


def test_statements_joined_by_a_semicolon_stand_one_after_the_other():
    """``a; b`` is two statements."""
    assert len(facts("a; b; c = 1\n").body) == 3


def test_comments_above_and_beside_a_statement_are_kept():
    """Intent is often only in a comment."""
    found = facts("# MC dropout on purpose\nmodel.train()  # not a bug\n")
    assert [c.text for c in found.comments] == ["MC dropout on purpose", "not a bug"]
    assert {c.at for c in found.comments} == {found.body[0].at}


def test_a_file_that_is_not_python_has_a_problem_with_its_place():
    """It is reported once, at the line where it stops being Python."""
    found = extract("a.py", "d", "x = 1\nprint('hello' x)\n")
    assert found.problem is not None
    assert found.problem.line == 2
    assert found.body == ()


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"x = '\x00'\n", b"# -*- coding: klingon -*-\n", b"\xe9 = 1\n"])
def test_bytes_that_cannot_be_decoded_are_a_problem_not_an_exception(text):
    """Any file may lie in a repository."""
    assert extract("a.py", "d", text).problem is not None


def test_numbers_locate_the_very_text_they_were_taken_from():
    """The walk that numbers records and the one that finds their place agree."""
    text = "import a\n\n\ndef f(x):\n    return a.b(x)[0]\n"
    found = facts(text)
    (call,) = calls(found.body)
    span = locate(text, [call.at])[call.at]
    assert (span.line, span.column, span.end_line, span.end_column) == (5, 12, 5, 18)


def test_a_function_is_located_at_its_name():
    """Its own range would begin at the decorator and end with the body."""
    text = "@d\ndef f():\n    pass\n"
    (function,) = facts(text).body
    assert locate(text, [function.at])[function.at].line == 2


def test_walking_can_stop_at_nested_scopes():
    """What a nested function does is not done by the function around it."""
    (function,) = facts("def f():\n    g()\n    def h():\n        i()\n").body
    names = [dotted(call.func) for call in calls(function, into_scopes=False)]
    assert names == ["g"]
    assert [dotted(call.func) for call in calls(function)] == ["g", "i"]


SAMPLES = sorted(STDLIB.glob("*.py"))[:: max(1, len(list(STDLIB.glob("*.py"))) // 25)]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_real_files_have_the_same_calls_functions_and_classes_as_pythons_own_parser_sees(path):
    """Nothing of a program may get lost on the way to the facts."""
    text = path.read_bytes()
    found = extract(str(path), "d", text)
    assert found.problem is None
    mine = [type(node) for node in walk(found.body)]
    theirs = [type(node) for node in ast.walk(ast.parse(text))]
    assert mine.count(m.Call) == theirs.count(ast.Call)
    assert mine.count(m.Class) == theirs.count(ast.ClassDef)
    assert mine.count(m.Function) == theirs.count(ast.FunctionDef) + theirs.count(ast.AsyncFunctionDef)
    assert mine.count(m.Attr) == theirs.count(ast.Attribute)
    assert mine.count(m.Return) == theirs.count(ast.Return)


@pytest.mark.parametrize("path", SAMPLES[:5], ids=lambda p: p.name)
def test_numbers_grow_in_walking_order_and_survive_pickling(path):
    """Order of numbers is order in the text: flow analyses rely on it; facts travel between processes."""
    found = extract(str(path), "d", path.read_bytes())
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    for node in walk(found.body):
        assert all(child.at > node.at or isinstance(node, m.Choice | m.Op) for child in children(node))


NEW_SYNTAX = """
type Pair[T] = tuple[T, T]
def first[T](x: list[T], /, *, key: T = None) -> T:
    match x:
        case [a, *rest] if rest: return a
        case {"k": v, **others}: return v
        case Point(x=0) as p: return p
    try:
        pass
    except* ValueError as group:
        raise
    async def inner():
        async with a as b, c: await d
        return [i async for i in e if i]
    f"{x!r:>{width}}"
    return (y := x[0:1, ..., ::2])
class A[T](B, metaclass=M): z: int = 1; del z
lambda *a, k=1, **kw: (yield)
"""


def test_every_construct_of_the_language_has_a_record():
    """New syntax must be read too, whatever Python runs the tool."""
    kinds = {type(node) for node in walk(facts(NEW_SYNTAX).body)}
    assert {m.Match, m.Try, m.With, m.Comp, m.Walrus, m.Lambda, m.Class, m.Delete, m.Raise, m.Item} <= kinds


@given(st.text(alphabet="abx=+-()[]{}:,.\n \t'\"#@*!01if else def class for in", max_size=80))
def test_no_text_raises(text):
    """Whatever the text, there are facts or a problem."""
    found = extract("a.py", "d", text)
    assert isinstance(found, m.FileFacts)


def test_the_recursion_limit_is_put_back():
    """Reading a file leaves the interpreter as it was."""
    before = sys.getrecursionlimit()
    facts("x = 1\n")
    assert sys.getrecursionlimit() == before
