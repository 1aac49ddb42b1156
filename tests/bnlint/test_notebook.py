"""Notebooks: linted as one program, shown by cell, repaired without touching anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnlint.examples import EVERYTHING, report_on
from bnlint.facts.collect import read_all
from bnlint.notebook import program, with_program
from bnlint.repair import repair
from bnlint.rules.table import RULES
from bnlint.run import analyse
from bnlint.source import Source

MAGICS = [
    "%matplotlib inline",
    "!pip list",
    "x = !ls",
    "y = %time f(x)",
    "if x:\n    !ls\n",
    "f?",
    "%%time\nmodel.eval()",
    "%%bash\nmodel.eval\n",
    "this is no python",
    "for i in x:\n    %time f(i)\n    y = %sx ls",
]


def notebook(*sources, **dump):
    """The bytes of a notebook with these code cells, and a Markdown cell in front."""
    cells = [{"cell_type": "markdown", "metadata": {}, "source": ["model.eval\n", "# Über"]}]
    for source in sources:
        outputs = [{"text": ['model.eval "']}]
        cells.append({"cell_type": "code", "outputs": outputs, "source": source, "execution_count": 1.0})
    return json.dumps({"nbformat": 4, "metadata": {"a": [1e5]}, "cells": cells}, **dump).encode()


def repaired(raw):
    """The notebook after all fixes."""
    analysis = analyse(read_all([Source("n.ipynb", data=raw)], size_limit=10**7), EVERYTHING, RULES)
    return repair(analysis, EVERYTHING, RULES, "unsafe").analysis.texts[0].written()


def test_findings_name_the_cell_and_count_lines_in_it():
    """That is what a reader of a notebook sees."""
    raw = notebook("import torch\n", ["%matplotlib inline\n", "if x:\n", "    model.eval\n"])
    (finding,) = report_on({"n.ipynb": raw.decode()}, RULES).findings
    assert finding.place.where() == "n.ipynb:cell 3:3:5"


def test_the_frame_shows_the_line_as_the_notebook_has_it():
    """Magics are set aside for the parser only."""
    raw = notebook("import torch\n%time\nmodel.eval\n")
    report = report_on({"n.ipynb": raw.decode()}, RULES)
    assert report.excerpts["n.ipynb:cell 2"][2] == "%time"


def test_cells_are_one_program():
    """A class of one cell is used in the next."""
    raw = notebook("import torch.nn as nn\nmake = nn.BatchNorm1d\n", "bn = make(3, momentum=0.99)\n")
    (finding,) = report_on({"n.ipynb": raw.decode()}, RULES).findings
    assert finding.code == "BN401"
    assert finding.place.cell == 3


def test_a_comment_in_a_cell_silences_its_line():
    """As in a file."""
    raw = notebook("import torch\nmodel.eval  # bnlint: ignore[BN103]\n")
    report = report_on({"n.ipynb": raw.decode()}, RULES)
    assert report.findings == ()
    assert report.hidden["silenced by a comment"] == 1


@pytest.mark.parametrize("dump", [{}, {"indent": 1}, {"indent": 2, "ensure_ascii": False}, {"separators": (",", ":")}])
@pytest.mark.parametrize("form", [str, list])
def test_a_fix_changes_the_line_and_no_other_byte(dump, form):
    """Outputs, metadata, numbers, escapes and layout of the JSON stay."""
    code = "import torch\n%time\nmodel.eval\nprint('é')\n"
    source = code if form is str else code.splitlines(keepends=True)
    raw = notebook(source, "x = 1", **dump)
    where = raw.index(b"import torch")
    expected = raw[:where] + raw[where:].replace(b"model.eval", b"model.eval()", 1)
    assert repaired(raw) == expected
    assert repaired(expected) == expected


@pytest.mark.parametrize("magic", MAGICS)
def test_magics_survive(magic):
    """What is not Python is set aside and put back; the rest of the notebook is still understood."""
    raw = notebook(magic, "import torch\nmodel.eval\n")
    report = report_on({"n.ipynb": raw.decode()}, RULES)
    assert [(f.code, f.place.cell) for f in report.findings] == [("BN103", 3)]
    assert repaired(raw) == raw.replace(b"torch\\nmodel.eval", b"torch\\nmodel.eval()")


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b'{"cells": 1}', b'{"cells": [1]}', b'{"cells": [{"cell_type": "code"}]}', b"\xff\xfe", b"model.eval",
            b'{"cells": [{"cell_type": "code", "source": 3}]}', b'{"cells": [{"cell_type": "code", "source": [1, null]}]}', b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_notebook_is_a_note_or_empty(raw):
    """Never an exception."""
    analysis = analyse(read_all([Source("n.ipynb", data=raw)], size_limit=10**7), EVERYTHING, RULES)
    assert {finding.code for finding in analysis.found} <= {"BN901"}


LINES = st.lists(
    st.sampled_from(["x = 1", "%time", "!ls", "", "é = '😀'", "if x:", "    y = !ls", "a?", "'''", "\tz"]), max_size=6
)


@given(st.lists(LINES.map("\n".join), max_size=4), st.booleans())
def test_there_and_back_is_the_same_notebook(sources, ascii_only):
    """Whatever the cells hold, the program leads back to the very same bytes."""
    raw = notebook(*sources, ensure_ascii=ascii_only)
    assert with_program(raw, program(raw).text) == raw
