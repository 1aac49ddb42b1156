"""Every option of the configuration: name, kind, default and what it says. The documentation is made of this table."""

from typing import Literal, NamedTuple

from bnlint.frameworks.known import KEYS
from bnlint.source import EXCLUDE

Kind = Literal[
    "strings",
    "string",
    "boolean",
    "whole number",
    "number",
    "choice",
    "lists by pattern",
    "strings by name",
    "lists by name",
]


class Option(NamedTuple):
    """One key of ``[tool.bnlint]``."""

    key: str
    kind: Kind
    default: object
    says: str
    example: str
    choices: tuple[str, ...] = ()

    @property
    def attribute(self) -> str:
        """Name of the field of Config."""
        return self.key.replace("-", "_")


ALL = "ALL"
SEVERITIES = ("note", "info", "warning", "error")
CONFIDENCES = ("low", "medium", "high")
PERSONAS = ("regular", "pedantic", "auditor")
FRAMEWORKS = ("keras", "lightning", "tensorflow")

OPTIONS: tuple[Option, ...] = (
    Option("select", "strings", (ALL,), "Rules to run, by code or by the beginning of a code, or `ALL`. A whole code also turns on a rule that is off by default.", '["BN1", "BN403"]'),
    Option("extend-select", "strings", (), "Rules to add to `select`.", '["BN403"]'),
    Option("ignore", "strings", (), "Rules not to run. Between `select` and `ignore` the longer code wins.", '["BN312"]'),
    Option("extend-ignore", "strings", (), "Rules to add to `ignore`.", '["BN401"]'),
    Option("per-file-ignores", "lists by pattern", (), "Rules not to report in the files that match a pattern, in the manner of `.gitignore` and relative to the configuration's folder.", '{"tests/**" = ["BN1"]}'),
    Option("persona", "choice", "regular", "Who reads the report: `regular` wants what is almost always right, `pedantic` also matters of taste, `auditor` also what may be a false alarm.", '"pedantic"', PERSONAS),
    Option("min-severity", "choice", "note", "The least severity to report.", '"warning"', SEVERITIES),
    Option("min-confidence", "choice", "medium", "The least confidence to report.", '"high"', CONFIDENCES),
    Option("exclude", "strings", EXCLUDE, "Files and folders not to read, in the manner of `.gitignore`: a name speaks of every file and folder of that name, a pattern with a slash is relative to the configuration's folder (on the command line: to the working directory).", '["third_party", "*_pb2.py"]'),
    Option("extend-exclude", "strings", (), "Patterns to add to `exclude`.", '["experiments/old"]'),
    Option("respect-gitignore", "boolean", True, "Whether files that git ignores are left out: by any `.gitignore` of the repository, and by `.git/info/exclude`.", "false"),
    Option("force-exclude", "boolean", False, "Whether `exclude` also holds for files named on the command line, as pre-commit does.", "true"),
    Option("whole-project", "boolean", True, "Whether the rest of the project around the given files is read to understand them.", "false"),
    Option("target", "strings by name", (), "Versions of the frameworks that the code runs with, where rules depend on them: Keras 2 or 3 (TensorFlow 2.16 brings Keras 3), Lightning before 2.2 or since (which keeps a mode that was set by hand). Without it the code itself must tell.", '{keras = "3"}', FRAMEWORKS),
    Option("names", "lists by name", (), "Names of your own to add to the tables. Full dotted names: `batch-norm` and `dropout` (layers, or functions that make them), `insensitive` (networks that hold nothing with a mode), `mode-frameworks` (beginnings of base classes whose trainer switches modes itself). Words inside names: `evaluation-loaders`, `training-loaders`, `evaluation-functions`. Phrases of names and comments: `intent` (an unusual mode is meant).", '{batch-norm = ["mypkg.nn.MyBN"], evaluation-loaders = ["gallery"]}', KEYS),
    Option("rules", "strings", (), "Modules with rules of your own, as dotted names or paths relative to this file. They are imported: name only code you trust.", '["tools/our_rules.py"]'),
    Option("baseline", "string", "", "File of known findings that are not reported.", '"bnlint-baseline.json"'),
    Option("unfixable", "strings", (), "Rules whose fixes are never applied.", '["BN205"]'),
    Option("strict", "boolean", False, "Whether notes, such as a file that could not be read, also make the exit code 1.", "true"),
    Option("cache", "boolean", True, "Whether results are kept between runs.", "false"),
    Option("cache-dir", "string", "", "Where results are kept; empty means the user's cache folder.", '".bnlint_cache"'),
    Option("jobs", "whole number", 0, "Number of processes; 0 means as many as there are processors and work for.", "2"),
    Option("time-limit", "number", 30.0, "Seconds the analysis of one file may take.", "60"),
    Option("size-limit", "whole number", 4_000_000, "Bytes a file may have; larger ones are not analysed.", "1_000_000"),
)  # fmt: skip
