"""Fixes: each verb by before and after, what must survive around them, and what happens to one that breaks its promise."""

import stat

import pytest

from bnlint.examples import EVERYTHING
from bnlint.facts.collect import read_all
from bnlint.facts.extract import extract
from bnlint.facts.model import Assign, Call, Do, Function, If
from bnlint.facts.walk import walk
from bnlint.finding import Edit, Fix
from bnlint.fixes.apply import diff
from bnlint.fixes.expressions import CannotApply
from bnlint.fixes.verbs import VERB_NAMES, edited
from bnlint.fixes.write import write
from bnlint.repair import repair
from bnlint.rules._base import Example, Meta, rule
from bnlint.rules.table import RULES
from bnlint.run import analyse
from bnlint.source import Source


def changed(text, kind, verb, *words, number=0):
    """`text` after one edit of its record `number` of that kind."""
    body = extract("a.py", "", text).body
    node = [node for node in walk(body) if isinstance(node, kind)][number]
    return edited(text.encode(), [Edit(node.at, verb, words)]).decode()


EXPRESSIONS = [
    ("f(a)\n", "add_keyword", ("b", "c.d"), "f(a, b=c.d)\n"),
    ("f()\n", "add_keyword", ("b", "1"), "f(b=1)\n"),
    ("f(a,)\n", "add_keyword", ("b", "1"), "f(a, b=1,)\n"),
    ("f(x for x in y)\n", "add_keyword", ("b", "1"), "f((x for x in y), b=1)\n"),
    ("f(\n    a,\n    c,  # why\n)\n", "add_keyword", ("b", "1"), "f(\n    a,\n    c,  # why\n    b=1,\n)\n"),
    ("f(\n    a,\n    c\n)\n", "add_keyword", ("b", "1"), "f(\n    a,\n    c,\n    b=1\n)\n"),
    ("f(a, b=2)\n", "set_keyword", ("b", "1"), "f(a, b=1)\n"),
    ("f(a)\n", "set_keyword", ("b", "1"), "f(a, b=1)\n"),
    ("f(a, b)\n", "set_argument", ("1", "not b"), "f(a, not b)\n"),
    ("f(a, True)\n", "name_argument", ("1", "training"), "f(a, training=True)\n"),
    ("f(momentum=1)\n", "rename_keyword", ("momentum", "decay"), "f(decay=1)\n"),
    ("f(a, b=1)\n", "remove_argument", ("b",), "f(a)\n"),
    ("f(a, b)\n", "remove_argument", ("0",), "f(b)\n"),
    ("f(a)\n", "replace", ("g(b)",), "g(b)\n"),
    (
        "nn.Dropout(0.5)(x)\n",
        "dropout_to_functional",
        ("dropout",),
        "nn.functional.dropout(x, 0.5, training=self.training)\n",
    ),
    ("nn.Dropout()(x)\n", "dropout_to_functional", ("dropout",), "nn.functional.dropout(x, training=self.training)\n"),
]


@pytest.mark.parametrize(("before", "verb", "words", "after"), EXPRESSIONS)
def test_verbs_of_calls(before, verb, words, after):
    """Arguments are laid out as those around them."""
    assert changed(before, Call, verb, *words) == after


STATEMENTS = [
    ("a()\n", "insert_before", ("b()",), "b()\na()\n"),
    (
        "if x:\n\n    # why\n    a()  # because\n",
        "insert_before",
        ("b()",),
        "if x:\n\n    b()\n    # why\n    a()  # because\n",
    ),
    ("a()  # because\n", "insert_after", ("b()",), "a()  # because\nb()\n"),
    ("a(); c()\n", "insert_before", ("b()",), "b()\na(); c()\n"),
    ("if x: a()\n", "insert_before", ("b()",), "if x:\n    b()\n    a()\n"),
    ("if x:\n\ta()\n", "insert_after", ("b()",), "if x:\n\ta()\n\tb()\n"),
    ("# why\na()\n", "wrap_in_with", ("torch.no_grad()",), "# why\nwith torch.no_grad():\n    a()\n"),
    ("if x:\n    a()\n    b()\n", "remove", (), "if x:\n    b()\n"),
]


@pytest.mark.parametrize(("before", "verb", "words", "after"), STATEMENTS)
def test_verbs_of_statements(before, verb, words, after):
    """Comments stay with what they speak of; indentation is the file's own."""
    assert changed(before, Do, verb, *words) == after


FUNCTIONS = [
    ("def f():\n    a()\n", "append_to_body", ("return self",), "def f():\n    a()\n    return self\n"),
    ("def f(): a()\n", "append_to_body", ("return self",), "def f():\n    a()\n    return self\n"),
    ("def f():\n    '''doc'''\n    a()\n", "prepend_to_body", ("b()",), "def f():\n    '''doc'''\n    b()\n    a()\n"),
    ("def f(a):\n    pass\n", "add_parameter", ("training", "False"), "def f(a, training=False):\n    pass\n"),
    ("def f(a, **k):\n    pass\n", "add_parameter", ("training",), "def f(a, training, **k):\n    pass\n"),
    (
        "def f(\n    a,\n    b,\n):\n    pass\n",
        "add_parameter",
        ("t", "1"),
        "def f(\n    a,\n    b,\n    t=1,\n):\n    pass\n",
    ),
]


@pytest.mark.parametrize(("before", "verb", "words", "after"), FUNCTIONS)
def test_verbs_of_functions(before, verb, words, after):
    """Bodies and parameters."""
    assert changed(before, Function, verb, *words) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\n", "import os\nx = 1\n"),
        ("'''doc'''\nx = 1\n", "'''doc'''\nimport os\nx = 1\n"),
        ("from __future__ import a\nimport b\n\nx = 1\n", "from __future__ import a\nimport b\nimport os\n\nx = 1\n"),
        ("import os\nx = 1\n", "import os\nx = 1\n"),
    ],
)
def test_imports_are_added_below_the_others_and_once(before, after):
    """Never above a docstring or `from __future__`."""
    assert changed(before, Assign if "x" in before else Do, "add_import", "import os") == after


@pytest.mark.parametrize(
    ("before", "last", "after"),
    [
        ("x = 1\n# why\na()\nb()\nc()\n", 1, "x = 1\ns()\ntry:\n    # why\n    a()\n    b()\nfinally:\n    e()\nc()\n"),
        ("if x:\n\ta()  # one\n\tb(\n\t\t1)\n", 1, "if x:\n\ts()\n\ttry:\n\t\ta()  # one\n\t\tb(\n\t\t\t1)\n\tfinally:\n\t\te()\n"),
        ("a(); b()\n", 0, "s()\ntry:\n    a(); b()\nfinally:\n    e()\n"),
    ],
)  # fmt: skip
def test_statements_are_wrapped_together(before, last, after):
    """From the first to the last, with what is done before and at the end in any case."""
    body = extract("a.py", "", before).body
    does = [node for node in walk(body) if isinstance(node, Do)]
    edit = Edit(does[0].at, "wrap_in_try", (str(does[last].at), "s()", "e()"))
    assert edited(before.encode(), [edit]).decode() == after


def test_statements_of_two_blocks_are_not_wrapped():
    """It would change the program."""
    body = extract("a.py", "", "a()\nif x:\n    b()\n").body
    first, last = (node for node in walk(body) if isinstance(node, Do))
    with pytest.raises(CannotApply, match="no place"):
        edited(b"a()\nif x:\n    b()\n", [Edit(first.at, "wrap_in_try", (str(last.at), "s()", "e()"))])


def test_an_else_is_added_once():
    """And never put in place of one that is there."""
    text = "if x:\n    a()  # one\nb()\n"
    assert changed(text, If, "add_else", "c()") == "if x:\n    a()  # one\nelse:\n    c()\nb()\n"
    with pytest.raises(CannotApply, match="without an `else`"):
        changed("if x:\n    a()\nelse:\n    b()\n", If, "add_else", "c()")


def test_every_verb_has_a_case():
    """A verb without an example here is not tested."""
    cased = {verb for _, verb, _, _ in [*EXPRESSIONS, *STATEMENTS, *FUNCTIONS]}
    assert cased | {"add_import", "call", "rename_attribute", "add_else", "wrap_in_try"} == VERB_NAMES


@pytest.mark.parametrize(
    ("verb", "words"),
    [("add_keyword", ("a", "1")), ("replace", ("1 +",)), ("rename_keyword", ("b", "c")), ("remove_argument", ("9",)),
     ("set_argument", ("9", "1")), ("nonsense", ()), ("rename_attribute", ("x",)), ("dropout_to_functional", ())],
)  # fmt: skip
def test_an_edit_that_does_not_fit_is_refused(verb, words):
    """It must not guess."""
    with pytest.raises(CannotApply, match=r".+"):
        changed("f(a=0)\n", Call, verb, *words)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfimport torch\nmodel.eval\n",
        b"# -*- coding: latin-1 -*-\nimport torch\nx = '\xe9'\nmodel.eval\n",
        b"import torch\r\nmodel.eval\r\nx = '''\r\n'''\r\n",
        b"import torch\nmodel.eval",
        b"import torch\nif x:\n\tmodel.eval\n\n\n# end\n",
        b"import torch\nmodel.eval ; y=[1,\n  2]#c\n",
    ],
)
def test_everything_but_the_edit_stays_byte_for_byte(data):
    """BOM, coding cookie, line ends, a missing last newline, tabs and odd spacing are the author's business."""
    assert _repaired(data) == data.replace(b"model.eval", b"model.eval()")


def _repaired(data, rules=RULES, path="a.py"):
    analysis = analyse(read_all([Source(path, data=data)], size_limit=10**6), EVERYTHING, rules)
    return repair(analysis, EVERYTHING, rules, "unsafe").analysis.texts[0].written()


def test_fixing_twice_is_fixing_once():
    """A second run finds nothing to do."""
    once = _repaired(b"import torch\nmodel.eval\nmodel.train\n")
    assert _repaired(once) == once


def _stubborn(safety, edits):
    meta = Meta(
        code="XX001", name="stubborn", severity="error", confidence="high", persona="regular", since="1", frameworks=(),
        says="{what}", why="It is a test.", examples=(Example(bad="x", good="y"),),
    )  # fmt: skip

    @rule(meta)
    def stubborn(file, project):
        for node in walk(file.body):
            if isinstance(node, Call) and getattr(node.func, "id", "") in {"bad", "worse"}:
                yield meta.finding(file.path, node.at, what=node.func.id, fix=Fix("try", safety, edits(node)))

    return stubborn


def test_a_fix_that_leaves_its_finding_is_taken_back_and_said():
    """The text is as before, and a note tells why."""
    own = _stubborn("safe", lambda node: (Edit(node.at, "add_keyword", ("x", "1")),))
    analysis = analyse(
        read_all([Source("a.py", data=b"import torch\nbad()\nm.eval()\n")], size_limit=999), EVERYTHING, (own,)
    )
    done = repair(analysis, EVERYTHING, (own,), "safe")
    assert done.analysis.texts[0].data == b"import torch\nbad()\nm.eval()\n"
    assert done.applied.total() == 0
    assert "the fix of XX001 was taken back" in done.notes[0]


def test_one_bad_fix_does_not_hold_up_the_good_ones():
    """Fixes of a file are tried together, and one by one when that fails."""
    own = _stubborn(
        "safe", lambda node: (Edit(node.at, "replace", ("good()" if node.func.id == "bad" else "worse(1)",)),)
    )
    text = b"import torch\nworse()\nbad()\nm.eval()\nbad()\n"
    analysis = analyse(read_all([Source("a.py", data=text)], size_limit=999), EVERYTHING, (own,))
    done = repair(analysis, EVERYTHING, (own,), "safe")
    assert done.analysis.texts[0].data == b"import torch\nworse()\ngood()\nm.eval()\ngood()\n"
    assert len(done.notes) == 1


def test_unsafe_fixes_wait_to_be_asked_for():
    """`--fix` alone changes nothing about training."""
    own = _stubborn("unsafe", lambda node: (Edit(node.at, "replace", ("good()",)),))
    analysis = analyse(
        read_all([Source("a.py", data=b"import torch\nbad()\nm.eval()\n")], size_limit=999), EVERYTHING, (own,)
    )
    assert repair(analysis, EVERYTHING, (own,), "safe").applied.total() == 0
    assert repair(analysis, EVERYTHING, (own,), "unsafe").applied.total() == 1


def test_safe_fixes_go_before_unsafe_ones_of_the_same_file():
    """Calling `eval` is all that is needed: the missing eval() was its consequence, and a second one would be noise."""
    text = PREDICT.encode()
    analysis = analyse(read_all([Source("a.py", data=text)], size_limit=9999), EVERYTHING, RULES)
    assert {"BN101", "BN103"} <= {finding.code for finding in analysis.found}
    done = repair(analysis, EVERYTHING, RULES, "unsafe")
    assert done.analysis.texts[0].data == text.replace(b"net.eval\n", b"net.eval()\n")
    assert done.applied == {"BN103": 1}


PREDICT = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
        self.bn = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.bn(self.fc(x))


def predict(path, data):
    net = Net()
    net.load_state_dict(torch.load(path))
    net.eval
    with torch.no_grad():
        return net(data)
"""


def test_writing_keeps_permissions_and_links(tmp_path):
    """A script stays executable, a link stays a link, and no other file is left behind."""
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_bytes(b"old")
    real.chmod(0o750)
    link.symlink_to(real)
    write(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o750
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.py", "real.py"]


def test_a_diff_says_where_the_last_newline_is_missing():
    """So that `patch` can apply it."""
    assert (
        diff("a.py", b"a\nb", b"a\nc")
        == b"--- a.py\n+++ a.py\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
    )


def test_a_file_with_the_async_of_old_is_left_alone():
    """What can be read but not written back is refused with a reason, not with a crash."""
    with pytest.raises(CannotApply, match="not Python of today"):
        edited(b"x.cuda(async=True)\n", [Edit(0, "call", ())])
