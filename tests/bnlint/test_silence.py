"""Comments that silence, the baseline, and the comments that --add-ignores writes."""

import json

import pytest

from bnlint.config import Config
from bnlint.examples import found_in, report_on
from bnlint.facts.collect import read_all
from bnlint.ignores import add_ignores
from bnlint.rules.table import RULES
from bnlint.run import analyse
from bnlint.shown import shown, write_baseline
from bnlint.source import Source

HEAD = "import torch\n"
QUICK = Config(jobs=-1)


def codes(text, **more):
    """Codes of what is reported of one file."""
    return [code for _, _, code in found_in({"a.py": HEAD + text}, RULES, Config(jobs=-1, **more))]


@pytest.mark.parametrize(
    "text",
    [
        "model.eval  # bnlint: ignore[BN103]\n",
        "model.eval  # bnlint: ignore[BN103] on purpose\n",
        "model.eval  # bnlint: ignore[BN1]\n",
        "model.eval  # bnlint:ignore[bn103, BN205]\n",
        "model.eval  # bnlint: ignore\n",
        "# bnlint: ignore[BN103]\nmodel.eval\n",
        "# bnlint: ignore[BN103]\n# more words\n\nmodel.eval\n",
        "(model\n .eval)  # bnlint: ignore[BN103]\n",
        "model.eval  # noqa: BN103\n",
        "model.eval  # noqa: E501, BN103\n",
        "model.eval  # noqa:E501,BN103 words\n",
        "x = 1\nmodel.eval\n# bnlint: ignore-file[BN103]\n",
        "model.eval\n# bnlint: ignore-file\n",
    ],
)
def test_a_comment_silences_the_finding_it_speaks_of(text):
    """On a line of the finding, alone above it, or for the whole file; ours and flake8's."""
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.eval  # bnlint: ignore[BN205]\n", ["BN103", "BN902"]),
        ("model.eval()  # bnlint: ignore[BN103]\n", ["BN902"]),
        ("model.eval()  # noqa: BN103\n", []),
        ("model.eval  # noqa\n", ["BN103"]),
        ("model.eval\n# bnlint: ignore[BN103]\nx = 1\n", ["BN103", "BN902"]),
        ("model.eval()\n# bnlint: ignore-file[BN103]\n", ["BN902"]),
    ],
)
def test_a_comment_that_silences_nothing_is_reported(text, expected):
    """It would hide the next finding; but a noqa may be there for another linter."""
    assert codes(text) == expected


def test_comments_for_rules_that_are_off_are_not_judged():
    """With --select BN2 nobody knows whether a comment for BN103 is of use."""
    assert codes("model.eval()  # bnlint: ignore[BN103]\n", select=("BN2", "BN902")) == []


def test_what_is_silenced_is_counted():
    """The report says how much it does not show."""
    report = report_on({"a.py": HEAD + "model.eval  # bnlint: ignore[BN103]\n"}, RULES, QUICK)
    assert dict(report.hidden) == {"silenced by a comment": 1}


def _analysis(text, path):
    return analyse(read_all([Source(path, data=text.encode())], size_limit=10**6), QUICK, RULES)


@pytest.fixture
def baseline(tmp_path):
    """A baseline that knows two times `model.eval` in a.py, and the function that asks it what is new in a text."""
    file, path = tmp_path / "known.json", str(tmp_path / "a.py")
    before = _analysis(HEAD + "model.eval\nmodel.eval\n", path)
    write_baseline(before.found, before.by_path(), QUICK, file)

    def ask(text):
        after = _analysis(text, path)
        return shown(after.found, after.by_path(), Config(jobs=-1, baseline="known.json", folder=tmp_path))

    ask.file = file
    return ask


def test_known_findings_stay_known_when_lines_move(baseline):
    """Line numbers shift with every commit."""
    some = baseline("# new\n\n" + HEAD + "x = 1\nif x:\n    model.eval\nmodel.eval\n")
    assert some.findings == ()
    assert some.hidden["in the baseline"] == 2


def test_one_more_of_a_known_kind_is_new(baseline):
    """The baseline is good for as many findings as it counts."""
    assert len(baseline(HEAD + "model.eval\nmodel.eval\nmodel.eval\n").findings) == 1


def test_another_line_is_new_and_gone_ones_are_said(baseline):
    """A changed line is a changed finding."""
    some = baseline(HEAD + "model.eval\nnet.eval\n")
    assert [finding.place.span.line for finding in some.findings] == [3]
    assert "1 findings of the baseline are gone" in some.notes[0]


def test_a_baseline_is_readable_and_sorted(baseline):
    """It is reviewed like code."""
    table = json.loads(baseline.file.read_text())
    assert table["version"] == 1
    assert [(one["path"], one["code"], one["count"]) for one in table["findings"]] == [("a.py", "BN103", 2)]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 9, "findings": []}', '{"version": 1}', '{"version": 1, "findings": [1]}']
)
def test_a_broken_baseline_is_an_error_that_says_what_to_do(baseline, text):
    """Silence by accident would hide new findings; noise by accident would end the use of the tool."""
    baseline.file.write_text(text)
    with pytest.raises(Exception, match="--update-baseline"):
        baseline(HEAD)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.eval\n", "model.eval  # bnlint: ignore[BN103]\n"),
        ("model.eval  # why\n", "model.eval  # why  # bnlint: ignore[BN103]\n"),
        ("model.eval  # bnlint: ignore[BN205]\n", "model.eval  # bnlint: ignore[BN205, BN103]\n"),
        ("model.eval\r\n", "model.eval  # bnlint: ignore[BN103]\r\n"),
        ("(model \\\n .eval)\n", "(model \\\n .eval)  # bnlint: ignore[BN103]\n"),
        ("models['''\n'''].eval\n", "models['''\n'''].eval  # bnlint: ignore[BN103]\n"),
        ("model.eval", "model.eval  # bnlint: ignore[BN103]"),
    ],
)
def test_add_ignores_silences_without_changing_the_program(text, expected):
    """Not in a string, not behind a backslash, and beside comments that are there."""
    analysis = _analysis(HEAD + text, "a.py")
    found = [f for f in analysis.shown(QUICK).findings if f.code == "BN103"]
    done = add_ignores((HEAD + text).encode(), found)
    assert done.data.decode() == HEAD + expected
    assert codes(done.data.decode().removeprefix(HEAD)) in ([], ["BN902"])
