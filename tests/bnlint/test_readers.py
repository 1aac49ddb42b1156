"""Two readers, one numbering: facts come from Python's parser, repairs from LibCST, and both must mean the same record."""

import ast
import sys
import warnings
from pathlib import Path

import pytest

from bnlint.facts.deep import deep_recursion
from bnlint.facts.locate import locate
from bnlint.facts.locate_tree import spans
from bnlint.facts.python_read import read
from bnlint.facts.tree import read_tree

STDLIB = Path(ast.__file__).parent
FILES = sorted([*STDLIB.glob("*.py"), *STDLIB.glob("asyncio/*.py"), *STDLIB.glob("test/test_g*.py")])[::9]
FILES += [
    STDLIB / "test" / f"test_{name}.py" for name in ("patma", "fstring", "unpack_ex", "named_expressions", "lambda")
]
FILES = [file for file in FILES if file.is_file()]

SNIPPETS = [
    "a[1, 2]; a[(1, 2)]; a[1:2, ::3]; a[b,]; a[()]; a[(1), 2]\n",
    "f(a, *b, c=1, *d, **e)\nclass A(B, *C, metaclass=M, **k): pass\n",
    "x = 'a' 'b' f'{c}' 'd'\ny = 'a' 'b'\nz = f'{a:{b}}' f'{c!r}'\n",
    "a and b and c or d\n(a and b) and c\na and (b and c)\n1 + 2 + 3 - 4\n2 ** 3 ** 4\n(1 + 2) + 3\n",
    "a < b < c\na < b <= c\nnot -1\n-x\n+1\n~1\n",
    "del a, b\ndel (a, b)\ndel a\n",
    "@d\n@e(1)\ndef f(a, /, b: int = 1, *c: str, d=2, **e) -> int:\n    return a, *b\n",
    "lambda a, *, b=1: (yield)\n[x async for x in y if z if w]\n{k: v for k, v in a for b in c}\n{*a, b}\n{**a, 'b': c}\n",
    "try:\n    a\nexcept (B, C) as d:\n    e\nelse:\n    f\nfinally:\n    g\n",
    "match a:\n    case {'b': [c, *d], **e} as f if g:\n        h\n    case A(b=c) | D(c):\n        pass\n",
    "if a: b\nelif c: d\nelse:\n    if e: f\n",
    "with a as b, c: d\nfor a, *b in c:\n    pass\nelse: e\nwhile (a := b): pass\n",
    "global a\nimport a.b as c, d\nfrom .. import e as f\nfrom g.h import *\nassert a, b\nraise a from b\n",
    "async def f():\n    await a\n    async with b as c: pass\n    async for d in e: pass\n    yield from f\n",
    "a: int\nb: int = 1\nc += 2\nd = e = 3\n...\n",
]


@pytest.mark.parametrize("text", SNIPPETS)
def test_snippets_are_read_alike(text):
    """The readers agree on every construct whose trees differ in shape."""
    mine, theirs = read(text), read_tree(text)
    assert mine.body == theirs.body
    assert len(mine.nodes) == len(theirs.nodes)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_are_read_alike(file):
    """Real files have the same records with the same numbers, and the same places."""
    data = file.read_bytes()
    with deep_recursion(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine, theirs = read(data), read_tree(data)
    assert mine.body == theirs.body
    assert len(mine.nodes) == len(theirs.nodes)
    inside = {id(n) for node in mine.nodes if isinstance(node, ast.JoinedStr) for n in ast.walk(node)}
    numbers = [n for n in range(len(mine.nodes)) if id(mine.nodes[n]) not in inside][:: max(1, len(mine.nodes) // 400)]
    places, trees = locate(data, numbers), spans(theirs, numbers)
    if theirs.module.bytes != data:
        return  # LibCST drops spaces after a conversion (`{x!s :10}`, new in Python 3.12), so its places are its own
    for number in numbers:
        if not isinstance(mine.nodes[number], ast.GeneratorExp | ast.Tuple | ast.stmt):  # parentheses count differently
            assert places[number] == trees[number], ast.dump(mine.nodes[number])


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python reads type statements itself")
def test_what_is_newer_than_this_python_is_read_by_libcst():
    """`type X = …` came with Python 3.12; such a file is read all the same."""
    from bnlint.facts.extract import extract

    found = extract("new.py", "", "type X = int\nmodel.eval\n")
    assert found.problem is None
    assert len(found.body) == 2
    assert locate("type X = int\nmodel.eval\n", [found.body[1].at])[found.body[1].at].line == 2


def test_places_count_characters_not_bytes():
    """Columns are those an editor shows, also behind letters that take several bytes."""
    text = "é = 'ü'; model.eval\n".encode()
    number = read(text).body[1].at
    assert locate(text, [number])[number] == (1, 10, 1, 20)


def test_expressions_in_f_strings_are_shown_inside_their_string():
    """Old Pythons tell wrong places for them; the f-string around them is right."""
    text = "x = 1\ny = f'{model.eval}'\n"
    numbers = range(len(read(text).nodes))
    assert all(span.line in {1, 2} for span in locate(text, numbers).values())


@pytest.mark.parametrize("form", [str, str.encode])
def test_the_async_argument_of_old_is_read(form):
    """``x.cuda(async=True)`` does not hide a file of before Python 3.7, and places stay what they were."""
    text = form("x = y.cuda(async=True)\nnet.eval\n")
    nodes = read(text).nodes
    at = next(n for n, node in enumerate(nodes) if isinstance(node, ast.Attribute) and node.attr == "eval")
    assert locate(text, [at])[at][:2] == (2, 1)


def test_an_unreadable_file_stays_unreadable():
    """Only the old argument is forgiven: other uses of the word are errors."""
    with pytest.raises(SyntaxError):
        read("async = 3\ndef f(: pass\n")
