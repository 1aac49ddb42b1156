"""Files of the packages have at most 300 lines, functions at most 40 (docstrings not counted)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for package in ("anybn", "bnlint") for path in (ROOT / package).rglob("*.py"))
IDS = [path.relative_to(ROOT).as_posix() for path in FILES]


def own_lines(function):
    """Lines of a function without its decorators and its docstring."""
    first = function.body[0]
    has_doc = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    doc = first.end_lineno - first.lineno + 1 if has_doc else 0
    return function.end_lineno - function.lineno + 1 - doc


def long_functions(text, limit=40):
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [f"{f.name}: {own_lines(f)} lines" for f in functions if own_lines(f) > limit]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_file_fits_one_sitting(path):
    """A file has at most 300 lines."""
    assert len(path.read_text("utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_functions_fit_one_screen(path):
    """A function has at most 40 lines, its docstring not counted."""
    assert long_functions(path.read_text("utf-8")) == []


def test_the_check_can_fail():
    """A function of 41 lines is seen, one of 40 lines under a long docstring is not."""
    body = "    x = 1\n" * 39
    assert long_functions("def f():\n" + body + "    y = 2\n") == ["f: 41 lines"]
    assert long_functions('def f():\n    """' + "doc\n" * 50 + '"""\n' + body) == []
