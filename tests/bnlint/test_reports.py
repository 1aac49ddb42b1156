"""Whole outputs of every format on one small broken project. `UPDATE=1 pytest …` writes them anew; read the diff."""

import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest

from bnlint import __version__
from bnlint.config import Config
from bnlint.examples import read_cases, report_on, said
from bnlint.facts.collect import read_all
from bnlint.facts.walk import calls, dotted
from bnlint.finding import Finding, Fix, Place
from bnlint.preview import changes_of
from bnlint.report.model import Report
from bnlint.report.page import page
from bnlint.report.table import FORMATS, Style, render
from bnlint.rules._base import Example, Meta, rule
from bnlint.rules.not_analysed import not_analysed
from bnlint.rules.table import RULES
from bnlint.run import analyse, report
from bnlint.source import Source, Span

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = {
    "nets/é net.py": "import torch\n\n\ndef build():\n\treturn layer(3)  # ü, training\n",
    "main.py": "import torch\nfrom nets.b import build\n\nnet = build()  # training\nbad(\n    net,\n)\nworse(net)\n",
    "old.py": "import torch\nprint('training' ok)\n",
    "book.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": ["import torch  # training\n", "bad(x)\n"]}]}),
}
META = Meta(
    code="BN199", name="bad-call", severity="error", confidence="medium", persona="regular", since="0.1", frameworks=("torch",),
    says='{name}() is bad: 100 % <sure>, "really"', why="It makes nothing better.",
    examples=(Example(bad="import torch\nbad()  # <-\n", good="import torch\ngood()\n", fixable=True),),
    fix_safety="Safe.", references=("https://example.org/bad",),
)  # fmt: skip


@rule(META)
def bad_call(file, project):
    """A rule with related places, a safe fix and advice."""
    from bnlint.finding import Edit

    for call in calls(file.body):
        if dotted(call.func) == "bad":
            where = [
                Place("nets/é net.py", other.at, "made here")
                for f in project.files
                for other in calls(f.body)
                if dotted(other.func) == "layer"
            ]
            fix = Fix("Call good()", "safe", (Edit(call.func.at, "replace", ("good",)),))
            yield META.finding(file.path, call.at, name="bad", related=where, fix=fix)
        if dotted(call.func) == "worse":
            fix = Fix("Write it again", "advice", lines="with care:\n    good()\n")
            yield META.finding(file.path, call.at, name="worse", fix=fix, severity="warning", confidence="high")


@pytest.fixture(scope="module")
def made():
    """The report on the project."""
    rules = (bad_call, not_analysed)
    texts = read_all([Source(path, data=text.encode()) for path, text in sorted(FILES.items())], size_limit=10**6)
    analysis = analyse(texts, Config(jobs=-1), rules)
    made = report(analysis, Config(jobs=-1), rules, ["a note about the run"])
    return made._replace(changes=changes_of(made.findings, analysis.by_path()))


@pytest.mark.parametrize("name", [*FORMATS, "colour", "statistics"])
def test_whole_output(made, name):
    """What is printed changes only when somebody means it to."""
    style = Style(colour=name == "colour", statistics=name == "statistics")
    text = render(name if name in FORMATS else "text", made, style).replace(f'"{__version__}"', '"VERSION"')
    file = HERE / "snapshots" / f"{name}.txt"
    if os.environ.get("UPDATE"):
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")


def test_sarif_keeps_to_the_official_schema(made):
    """Also with every rule of the linter, and with nothing found."""
    schema = json.loads((HERE / "data" / "sarif-schema-2.1.0.json").read_text("utf-8"))
    check = jsonschema.Draft4Validator(schema).validate
    check(json.loads(render("sarif", made, Style())))
    check(json.loads(render("sarif", made._replace(findings=(), rules=RULES), Style())))


def test_sarif_has_what_code_scanning_shows(made):
    """Rule help, fingerprints, related places and fixes."""
    (run,) = json.loads(render("sarif", made, Style()))["runs"]
    result = next(r for r in run["results"] if "bad()" in r["message"]["text"] and "main" in str(r["locations"]))
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["help"]["markdown"].startswith("# BN199")
    assert result["relatedLocations"][0]["message"]["text"] == "made here"
    (replacement,) = result["fixes"][0]["artifactChanges"][0]["replacements"]
    assert replacement["insertedContent"]["text"] == "good(\n"
    assert result["partialFingerprints"]


def test_json_keeps_to_the_schema_of_the_documentation(made):
    """The schema is strict, so that a field that nobody wrote down fails here; and a wrong document fails it."""
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema).validate
    document = json.loads(render("json", made, Style()))
    check(document)
    check(json.loads(render("json", made._replace(findings=(), notes=()), Style())))
    document["findings"][0]["extra"] = 1
    with pytest.raises(jsonschema.ValidationError):
        check(document)


def test_edits_of_json_make_the_fix(made):
    """An editor that applies them from the last to the first has what --fix writes."""
    (fix,) = (f["fix"] for f in json.loads(render("json", made, Style()))["findings"] if f["fix"] and f["fix"]["edits"])
    lines = FILES["main.py"].splitlines(keepends=True)
    for edit in reversed(fix["edits"]):
        assert (edit["column"], edit["end_column"]) == (1, 1)
        lines[edit["line"] - 1 : edit["end_line"] - 1] = [edit["text"]]
    assert "".join(lines) == FILES["main.py"].replace("\nbad(", "\ngood(")


TWICE = "import torch\n\nmodel.eval\nx = 1\nmodel.eval\n"


@pytest.mark.parametrize("name", ["sarif", "gitlab"])
def test_fingerprints_survive_moved_lines_and_tell_twins_apart(name):
    """A service that compares two runs shows an old finding as old, and two equal lines as two findings."""

    def marks(text):
        document = json.loads(render(name, report_on({"a.py": text}, RULES), Style()))
        if name == "gitlab":
            return [issue["fingerprint"] for issue in document]
        return [result["partialFingerprints"]["bnlint/v1"] for result in document["runs"][0]["results"]]

    before = marks(TWICE)
    assert len(set(before)) == 2
    assert marks("# new\n\n" + TWICE.replace("x = 1\n", "if x:\n\n    pass\n")) == before
    assert marks(TWICE.replace("model.eval\nx", "net.eval\nx"))[1] != before[1]


NOTEBOOK = [["import torch\n", "%time\n", "model.eval\n"], "import torch\nmodel.eval"]


def test_readers_that_know_no_cells_get_the_line_of_the_file():
    """In the JSON of a notebook a cell is somewhere else, and often one line."""
    cells = [{"cell_type": "code", "source": source} for source in NOTEBOOK]
    raw = json.dumps({"cells": cells}, indent=1)
    made = report_on({"n.ipynb": raw}, RULES)
    lines = [number for number, line in enumerate(raw.splitlines(), 1) if "model.eval" in line]
    github = render("github", made, Style())
    assert [int(line) for line in re.findall(r"line=(\d+),", github)] == lines
    assert [issue["location"]["lines"]["begin"] for issue in json.loads(render("gitlab", made, Style()))] == lines
    results = json.loads(render("sarif", made, Style()))["runs"][0]["results"]
    places = [result["locations"][0]["physicalLocation"]["region"] for result in results]
    assert places == [{"startLine": line, "endLine": line} for line in lines]
    assert [int(one.get("line")) for one in ET.fromstring(render("junit", made, Style())).iter("testcase")] == lines


def test_junit_counts_what_it_holds(made):
    """Readers show the sums of the attributes; notes are skipped tests, as they change no exit code."""
    for some in (made, made._replace(findings=()), made._replace(findings=made.findings[-1:])):
        root = ET.fromstring(render("junit", some, Style()))
        (suite,) = root
        assert root.tag == "testsuites"
        for one in (root, suite):
            cases = list(one.iter("testcase"))
            assert int(one.get("tests")) == len(cases)
            for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                assert int(one.get(name)) == len(list(one.iter(tag)))
        for case in cases:
            assert {"classname", "name", "time"} <= set(case.attrib)
            assert len(case) <= 1


def test_junit_is_xml_whatever_the_message_holds(made):
    """Control characters cannot be written in XML at all."""
    odd = Finding(
        "BN1", "n", "error", "high", "regular", Place("a\x00.py", 1, span=Span(1, 1, 1, 2)), "\x0b <&\"' \ud800 ok"
    )
    root = ET.fromstring(render("junit", Report((odd,), made.hidden, {}, 1, ()), Style()).encode("utf-8", "replace"))
    assert root.find(".//failure").get("message").endswith("ok")


def test_gitlab_fingerprints_are_unique(made):
    """GitLab drops findings that share one."""
    twice = made._replace(findings=made.findings + made.findings)
    marks = [issue["fingerprint"] for issue in json.loads(render("gitlab", twice, Style()))]
    assert len(marks) == len(set(marks))


def test_pages_of_all_rules_have_every_section():
    """`bnlint explain` and docs/rules/ are made of them."""
    for one in RULES:
        text = page(one.meta)
        for section in ("What it finds", "Why it matters", "Example", "Fix safety", "How to silence it"):
            assert f"## {section}" in text, (one.meta.code, section)
        assert not re.search(r"\{\w*\}(?![^`]*`)", text.split("## Example")[0]), one.meta.code


def test_the_page_of_a_rule_says_what_the_rule_says():
    """Not a template: a message whose words are filled in by the analysis would be empty there."""
    (learning,) = (one for one in RULES if one.meta.code == "BN110")
    words = said(learning, [learning])
    assert len(words.split()) > 5
    assert f"## What it finds\n\n> {words}\n" in page(learning.meta, words)
    assert "> *what*\n" in page(learning.meta)


def test_messages_of_all_rules_can_be_filled():
    """A literal brace in a message means that an f is missing somewhere."""
    import string

    for one in RULES:
        fields = [field for _, field, _, _ in string.Formatter().parse(one.meta.says) if field]
        assert all(field.isidentifier() for field in fields), one.meta.code
        assert "{" not in one.meta.why, one.meta.code


def test_markdown_cases_are_read_with_their_files_and_expectations():
    """The notation of tests/bnlint/rules/*.md."""
    text = "# A\n\n## One\n\n`b.py`:\n\n```python\n# not a title\nx  # error: [BN1, BN2]\n```\n\n```python\ny\n```\n\n## Words only\n"
    (case,) = read_cases(text)
    assert case.title == "One"
    assert sorted(case.files) == ["b.py", "case.py"]
    assert case.expected == (("b.py", 2, "BN1"), ("b.py", 2, "BN2"))
