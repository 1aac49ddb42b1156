"""Python 2 is read in another form: what is rewritten, where findings then stand, and that nothing is written back."""

import ast
from pathlib import Path

import pytest

from bnlint.cli import main
from bnlint.facts.extract import extract
from bnlint.facts.locate import locate
from bnlint.facts.python2 import rewritten
from bnlint.facts.walk import walk

SPELLINGS = [
    ('print "a", b', 'print("a", b)'),
    ('print"a"', 'print("a")'),
    ("print a,", "print(a,)"),
    ("print", "print"),
    ("print (a), b", "print (a), b"),
    ("print >>f, a", "print >>f, a"),
    ("print [a for a in b]", "print([a for a in b])"),
    ("if a: print b; print c  # d", "if a: print(b); print(c)  # d"),
    ("print a, \\\n  b", "print(a, \\\n  b)"),
    ("print 'a' % (b,\n  c), d", "print('a' % (b,\n  c), d)"),
    ("if map(lambda a: b, c): print d", "if map(lambda a: b, c): print(d)"),
    ("x = {'a': 1}; print x", "x = {'a': 1}; print(x)"),
    ("exec code in space", "exec(code in space)"),
    ("raise Error, 'text'", "raise Error( 'text')"),
    ("try: a\nexcept (B, C), d: e", "try: a\nexcept (B, C) as d: e"),
    ("a <> `b`", "a != (b)"),
    ("a = 0777, 10L, 0xFFL, 0, 0.5, 00", "a =  777, 10 , 0xFF , 0, 0.5,  0"),
    ("a = ur'b'", "a =  r'b'"),
    ("def f(a, (b, c)=(1, 2)): pass", "def f(a, _b__c_=(1, 2)): pass"),
    ("f(lambda (a, b), c: a)", "f(lambda _a__b_, c: a)"),
    ("x = 'print y'  # print z", "x = 'print y'  # print z"),
    ("printed = a\nself.print_all(b)", "printed = a\nself.print_all(b)"),
]


@pytest.mark.parametrize(("old", "new"), SPELLINGS)
def test_what_python3_has_lost_is_written_in_another_form(old, new):
    """Each spelling alone; the result is what Python 3 takes, on as many lines."""
    assert rewritten(old + "\n").text == new + "\n"
    ast.parse(new)
    assert new.count("\n") == old.count("\n")


PROGRAM = """\
import tensorflow as tf
class Net:
    def build(self):
\tname = ur"é"; x = tf.layers.dense(1); print "layers", x
        return x
"""


def test_places_are_those_of_the_file_not_of_the_rewritten_text():
    """A tab is one column, whatever Python 2 took it for, and a column is a character, not a byte."""
    facts = extract("a.py", "d", PROGRAM)
    assert facts.problem is None
    (call,) = [n for n in walk(facts.body) if type(n).__name__ == "Call" and type(n.func).__name__ == "Attr"]
    span = locate(PROGRAM.encode(), [call.at])[call.at]
    line = PROGRAM.splitlines()[span.line - 1]
    assert line[span.column - 1 : span.end_column - 1] == "tf.layers.dense(1)"


def test_a_tab_in_front_moves_no_column():
    """What stands behind a tab of Python 2 is found where it stands."""
    text = "if a:\n        pass\n\tf(b)\nprint 1\n"
    (call,) = [n for n in walk(extract("a.py", "d", text).body) if type(n).__name__ == "Call" and n.args][:1]
    span = locate(text, [call.at])[call.at]
    assert (span.line, span.column, span.end_column) == (3, 2, 6)


def test_what_neither_python_reads_is_a_problem():
    """The sentence is the one of Python 3, for that is what people write today."""
    problem = extract("a.py", "d", "print 'a'\ndef f(:\n").problem
    assert problem is not None
    assert "not valid Python 3" in problem.message


OLD = """\
import torch
print "training"
model = torch.nn.BatchNorm1d(4)
model.eval
"""


def test_a_fix_leaves_python2_alone_and_says_so(tmp_path: Path, capsys, monkeypatch):
    """Only LibCST writes files, and it does not know Python 2."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "a.py"
    file.write_text(OLD)
    assert main(["--fix", "--no-cache", "--isolated", "a.py"]) == 1
    assert file.read_text() == OLD
    said = capsys.readouterr()
    assert "BN103" in said.out
    assert "not Python of today" in said.out + said.err
