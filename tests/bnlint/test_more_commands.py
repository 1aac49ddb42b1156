"""The command line where it writes: comments, baselines, fixes, and what cannot be written or imported."""

import io
import json
import os
import subprocess
import sys

import pytest

from bnlint.cli import main
from bnlint.errors import BnlintError
from bnlint.examples import report_on
from bnlint.extensions import with_extensions
from bnlint.facts.imports import needed, outline
from bnlint.finding import Place
from bnlint.fixes import apply
from bnlint.fixes.write import write
from bnlint.ignores import add_ignores
from bnlint.rules.table import RULES

BAD = "import torch\n\nmodel.eval\n"
GOOD = "import torch\n\nmodel.eval()\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def typed(monkeypatch, text):
    """Give `text` on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_add_ignores_writes_comments_that_silence(folder, capsys):
    """After it a run has nothing to report, and a second time there is nothing to write."""
    (folder / "a.py").write_text(BAD + "net.train\n")
    assert main(["--add-ignores", "."]) == 0
    assert capsys.readouterr().err == "2 findings silenced\n"
    ignore = "  # bnlint: ignore[BN103]"
    assert (folder / "a.py").read_text() == f"import torch\n\nmodel.eval{ignore}\nnet.train{ignore}\n"
    assert main(["."]) == 0
    assert main(["--add-ignores", "."]) == 0
    assert "0 findings silenced" in capsys.readouterr().err


def test_add_ignores_says_where_no_comment_fits(folder, capsys):
    """Nothing but code before a string of several lines, behind a backslash."""
    text = "import torch\nx = '''\n'''; model.eval; y = '''\n'''\n"
    (folder / "a.py").write_text(text)
    assert main(["--add-ignores", "."]) == 0
    said = capsys.readouterr().err
    assert "bnlint: a.py: no place for a comment: BN103" in said
    assert "0 findings silenced" in said
    assert (folder / "a.py").read_text() == text


def test_add_ignores_of_one_line_lists_a_code_once():
    """Two findings of one rule on one line need one comment."""
    text = "import torch\nmodel.eval; net.eval\n"
    findings = report_on({"a.py": text}, RULES).findings
    assert [f.code for f in findings] == ["BN103", "BN103"]
    done = add_ignores(text.encode(), findings)
    assert (done.data.decode(), done.total) == ("import torch\nmodel.eval; net.eval  # bnlint: ignore[BN103]\n", 2)


def test_add_ignores_leaves_a_finding_without_a_line_and_a_file_that_is_no_program():
    """There a comment would stand nowhere, or nobody could tell what it does."""
    found = list(report_on({"a.py": BAD}, RULES).findings)
    nowhere = found[0]._replace(place=Place("a.py", 0))
    assert add_ignores(BAD.encode(), [nowhere]).left == (nowhere,)
    broken = "import torch\n\nmodel.eval\nprint 'x'\n"
    done = add_ignores(broken.encode(), found)
    assert (done.data.decode(), done.total, done.left) == (broken, 0, tuple(found))


def test_add_ignores_writes_into_the_cells_of_a_notebook(folder, capsys):
    """Magics stay, and nothing else of the JSON changes."""
    cells = [
        {"cell_type": "code", "source": ["%time\n", "import torch\n"]},
        {"cell_type": "code", "source": "a = 1\nm.eval"},
    ]
    raw = json.dumps({"cells": cells, "nbformat": 4}, indent=1)
    (folder / "n.ipynb").write_text(raw)
    assert main(["--add-ignores", "."]) == 0
    assert (folder / "n.ipynb").read_text() == raw.replace("m.eval", "m.eval  # bnlint: ignore[BN103]")
    assert main(["."]) == 0


def test_add_ignores_answers_standard_input_on_standard_output(folder, capfdbinary, monkeypatch):
    """As --fix does."""
    typed(monkeypatch, BAD)
    assert main(["--add-ignores", "-"]) == 0
    sys.stdout.flush()
    assert capfdbinary.readouterr().out.decode() == BAD.replace(".eval", ".eval  # bnlint: ignore[BN103]")


@pytest.mark.parametrize("text", [
    BAD, BAD.replace("\n", "\r\n"), BAD.strip(), "# coding: latin-1\n# é\n" + BAD, "import torch\nx = '\x0c\u2028'\nmodel.eval\n",
])  # fmt: skip
def test_git_applies_a_diff(folder, capfdbinary, text):
    """Whatever the line ends and the encoding."""
    data = text.encode("latin-1" if "latin-1" in text else "utf-8")
    (folder / "a.py").write_bytes(data)
    assert main(["--diff", "."]) == 1
    sys.stdout.flush()
    patch = capfdbinary.readouterr().out
    subprocess.run(["git", "apply", "-p0", "-"], input=patch, check=True)
    assert (folder / "a.py").read_bytes() == data.replace(b".eval", b".eval()")


def test_the_version_that_a_configuration_names_goes_before_hints(folder, capsys):
    """Keras 3 gives fit()'s mode only to a call that takes it, Keras 2 finds another way."""
    (folder / "a.py").write_text(KERAS)
    for version, codes in (("keras = '3.4'", ["BN203"]), ("keras = '2.15'", []), ("tensorflow = '2.16.1'", ["BN203"]), ("tensorflow = '2.9'", [])):  # fmt: skip
        main(["--set", f"target = {{{version}}}", "--quiet", "a.py"])
        assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == codes, version


KERAS = """from tensorflow import keras


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.bn = keras.layers.BatchNormalization()

    def call(self, x):
        return self.bn(x)


net = Net()
net.compile("sgd", "mse")
net.fit(x, y)
"""


def test_a_baseline_takes_what_there_is_and_lets_new_findings_through(folder, capsys):
    """Written once, then only what is new is reported."""
    (folder / "a.py").write_text(BAD)
    assert main(["--update-baseline", "--baseline", "known.json", "."]) == 0
    assert capsys.readouterr().err.endswith("known.json: 1 finding written\n")
    assert main(["--baseline", "known.json", "."]) == 0
    (folder / "b.py").write_text(BAD)
    capsys.readouterr()
    assert main(["--baseline", "known.json", "-q", "."]) == 1
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["b.py"]


def test_fixes_are_counted_by_rule_and_reports_can_carry_them(folder, capsys):
    """`--fix` says what it did on standard error; SARIF holds the changes themselves."""
    (folder / "a.py").write_text(BAD)
    assert main(["--format", "sarif", "a.py"]) == 1
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    (change,) = result["fixes"][0]["artifactChanges"]
    text = BAD
    for one in reversed(change["replacements"]):
        region = one["deletedRegion"]
        starts = [0, *(n + 1 for n, letter in enumerate(text) if letter == "\n")]
        first = starts[region["startLine"] - 1] + region["startColumn"] - 1
        last = starts[region["endLine"] - 1] + region["endColumn"] - 1
        text = text[:first] + one["insertedContent"]["text"] + text[last:]
    assert text == GOOD
    assert main(["--fix", "a.py"]) == 0
    assert capsys.readouterr().err == "1 fix applied: BN103 × 1\n"
    assert (folder / "a.py").read_text() == GOOD


def test_standard_input_that_needs_no_repair_comes_back_as_it_was(folder, capfdbinary, monkeypatch):
    """An editor replaces its text by what it reads."""
    typed(monkeypatch, GOOD)
    assert main(["-", "--fix"]) == 0
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == GOOD.encode()


def test_standard_input_takes_the_place_of_its_file_in_the_project(folder, capsys, monkeypatch):
    """What the file means stands in the others; what is saved of it does not count."""
    (folder / "pyproject.toml").write_text("")
    (folder / "nets.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.bn = nn.BatchNorm1d(3)\n\n    def forward(self, x):\n        return self.bn(x)\n"
    )
    (folder / "main.py").write_text(BAD)
    typed(monkeypatch, "import torch\nfrom nets import Net\n\nnet = Net()\nnet.eval\n")
    assert main(["-", "--stdin-filename", "main.py", "-q"]) == 1
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()] == ["main.py:5:1"]


def test_an_output_file_that_cannot_be_written_is_said(folder, capsys):
    """Not a traceback, and not exit code 0 or 1."""
    (folder / "a.py").write_text(BAD)
    assert main(["--output-file", "no/such/folder/out.txt", "a.py"]) == 2
    assert "no/such/folder/out.txt: cannot be written: No such file or directory" in capsys.readouterr().err


OWN = """
from bnlint.rules._base import Example, Meta, rule


def made(code):
    meta = Meta(code=code, name="own", severity="error", confidence="high", persona="regular", since="1", frameworks=(),
                says="own", why="own", examples=(Example(bad="x", good="y"),))
    return rule(meta)(lambda file, project: iter(()))

{rules}
"""


@pytest.mark.parametrize(
    ("rules", "text", "says"),
    [
        ("own.py", OWN.format(rules="one = made('BN103')"), "BN103 is already the code of eval-without-call"),
        ("own.py", OWN.format(rules=""), "got no rule, expected functions decorated with @rule(META)"),
        ("own.py", "import nothing_of_this_name\n", "cannot be imported: ModuleNotFoundError"),
        ("own.py", "1 / 0\n", "cannot be imported: ZeroDivisionError"),
        ("other.py", "", "no such file; name a .py file relative to the configuration"),
        ("nothing_of_this_name", "", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_rules_of_ones_own_that_cannot_be_used_are_said(folder, capsys, rules, text, says):
    """A rule that is silently missing would look like clean code."""
    (folder / "own.py").write_text(text)
    (folder / "bnlint.toml").write_text(f'rules = ["{rules}"]\n')
    (folder / "a.py").write_text(BAD)
    assert main(["a.py"]) == 2
    assert says in capsys.readouterr().err


def test_rules_may_be_listed_in_a_module_that_is_installed(folder, monkeypatch):
    """By a dotted name, and in a list called RULES."""
    (folder / "house_rules_of_this_test.py").write_text(OWN.format(rules="RULES = [made('XX007'), made('XX008')]"))
    monkeypatch.syspath_prepend(str(folder))
    codes = [rule.meta.code for rule in with_extensions(RULES, ["house_rules_of_this_test"], folder)]
    assert codes == [*(rule.meta.code for rule in RULES), "XX007", "XX008"]


@pytest.fixture
def installed(folder, monkeypatch):
    """A distribution with a rule, as pip would install it, and a configuration that does not name it."""
    site = folder / "site"
    (site / "other_rules-1.0.dist-info").mkdir(parents=True)
    (site / "other_rules-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: other-rules\nVersion: 1.0\n"
    )
    (site / "other_rules-1.0.dist-info" / "entry_points.txt").write_text(
        "[bnlint.rules]\nothers = other_rules_of_this_test\n"
    )
    text = (
        OWN.format(rules="one = made('XX009')")
        .replace('bad="x"', 'bad="import torch  # <-\\n"')
        .replace("iter(())", "found(file, meta)")
    )
    found = "\n\ndef found(file, meta):\n    yield meta.finding(file.path, file.body[0].at)\n"
    (site / "other_rules_of_this_test.py").write_text(text.replace('good="y"', 'good="\\n"') + found)
    monkeypatch.syspath_prepend(str(site))
    (folder / "a.py").write_text("import torch\nx.eval()\n")
    return folder


def test_an_installed_package_of_rules_is_off_until_it_is_named(installed, capsys):
    """By the name of its entry point; then explain, rules and test-rule know it too."""
    assert main(["--quiet", "a.py"]) == 0
    assert "other_rules_of_this_test" not in sys.modules
    assert main(["explain", "XX009"]) == 2
    (installed / "bnlint.toml").write_text('rules = ["others"]\n')
    capsys.readouterr()
    assert main(["--quiet", "a.py"]) == 1
    assert capsys.readouterr().out == "a.py:1:1: XX009 own\n"
    assert main(["explain", "xx009"]) == 0
    assert capsys.readouterr().out.startswith("# XX009 own\n")
    assert main(["rules"]) == 0
    assert "\nXX009  own" in capsys.readouterr().out
    main(["test-rule", "others"])
    assert "XX009 own: " in capsys.readouterr().out


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(tmp_path, monkeypatch):
    """The old text stays whole when the disk says no."""
    file = tmp_path / "a.py"
    file.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(BnlintError, match=r"a\.py: cannot be written: No space left on device; nothing was changed"):
        write(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.py"]


def test_fixes_that_do_not_fit_are_left_out_and_the_others_applied():
    """Each refused one comes with its reason."""
    text = "import torch\n\nmodel.eval\nnet.eval\n"
    good, other = report_on({"a.py": text}, RULES).findings
    edit = other.fix.edits[0]._replace(verb="append_to_body", words=("return self",))
    odd = other._replace(fix=other.fix._replace(edits=(edit,)))
    done = apply.attempt(text.encode(), [odd, good])
    assert done.data == b"import torch\n\nmodel.eval()\nnet.eval\n"
    assert done.applied == (good,)
    assert [finding for finding, _ in done.refused] == [odd]
    assert all(reason for _, reason in done.refused)


# --- which files are read with which ---

TREE = [
    ("main.py", b"import torch\nimport pkg.models.net, tools\nfrom pkg import engine\n"),
    ("pkg/__init__.py", b""),
    ("pkg/engine.py", b"import torch\nfrom .models import net\nfrom . import extra\n"),
    ("pkg/extra.py", b"import torch\n"),
    ("pkg/models/__init__.py", b"from .net import *\n"),
    ("pkg/models/net.py", b"import torch\nfrom ..extra import x\n"),
    ("tools.py", b"import torch\n"),
    ("lonely.py", b"import torch\n"),
    ("other/main.py", b"import torch\nfrom models.net import Net\nimport json, \n"),
]


def test_files_that_import_each_other_are_one_program():
    """Relative and absolute imports, of modules and of names, in either direction."""
    seen = [outline(data)._replace(triggered=b"torch" in data) if data else None for _, data in TREE]
    found = needed([path for path, _ in TREE], seen)
    imported = {TREE[n][0]: {TREE[o][0] for o in others} for n, others in found.links.items()}
    assert imported["main.py"] == {"pkg/models/net.py", "tools.py", "pkg/__init__.py", "pkg/engine.py"}
    assert imported["pkg/engine.py"] == {
        "pkg/models/__init__.py",
        "pkg/models/net.py",
        "pkg/__init__.py",
        "pkg/extra.py",
    }
    assert imported["pkg/models/net.py"] == {"pkg/extra.py"}
    assert imported["lonely.py"] == set()
    assert imported["other/main.py"] == {"pkg/models/net.py"}
    groups = [{TREE[n][0] for n in group} for group in found.groups()]
    assert {"lonely.py"} in groups
    assert {"main.py", "tools.py", "other/main.py", "pkg/engine.py"} <= max(groups, key=len)
