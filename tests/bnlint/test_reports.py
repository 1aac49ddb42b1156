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
from bnlint.examples import read_cases
from bnlint.facts.collect import read_all
from bnlint.facts.walk import calls, dotted
from bnlint.finding import Finding, Fix, Place
from bnlint.preview import changes_of
from bnlint.report.model import Report
from bnlint.report.page import pages
from bnlint.report.table import FORMATS, Style, render
from bnlint.rules._base import Example, Meta, rule
from bnlint.rules.not_analysed import not_analysed
from bnlint.rules.table import RULES
from bnlint.run import analyse, report
from bnlint.source import Source, Span

HERE = Path(__file__).parent
FILES = {
    "nets/é net.py": "import torch\n\n\ndef build():\n\treturn layer(3)  # ü, training\n",
    "main.py": "import torch\nfrom nets.b import build\n\nnet = build()  # training\nbad(\n    net,\n)\nworse(net)\n",
    "old.py": "import torch\nprint 'training'\n",
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
    made = pages([rule.meta for rule in RULES])
    assert set(made) == {"index.md", *(f"{rule.meta.code}.md" for rule in RULES)}
    for name, text in made.items():
        if name != "index.md":
            for section in ("What it finds", "Why it matters", "Example", "Fix safety", "How to silence it"):
                assert f"## {section}" in text, (name, section)
        assert not re.search(r"\{\w*\}(?![^`]*`)", text.split("## Example")[0]), name


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
