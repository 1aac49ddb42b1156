"""Names that a project adds to the tables, end to end: with the setting, without it, and without a trace afterwards."""

from dataclasses import replace

import pytest

from bnlint.cache import Cache
from bnlint.cli import main
from bnlint.config import Config, read
from bnlint.examples import found_in
from bnlint.facts.collect import read_all
from bnlint.frameworks.known import KEYS
from bnlint.rules.table import RULES
from bnlint.run import analyse, lint
from bnlint.source import Source

SHOWN = Config(jobs=-1)
NET = """\
import torch
import torch.nn as nn
{imports}


class Net({base}):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.layer = {layer}

    def forward(self, x):
        return self.layer(self.fc(x))


"""
PREDICT = """\
def predict(path, data):
    model = Net()
    model.load_state_dict(torch.load(path))
    with torch.no_grad():
        return model(data)
"""
FIT = """\
def fit(loader, gallery, opt, loss_fn):
    model = Net()
    for _ in range(9):
        model.train()
        for x, y in loader:
            loss_fn(model(x), y).backward()
            opt.step()
        correct = 0
        for x, y in gallery:
            correct += (model(x).argmax(1) == y).sum()
"""


def net(layer="nn.BatchNorm1d(4)", base="nn.Module", imports=""):
    """The text of a network."""
    return NET.format(layer=layer, base=base, imports=imports)


def codes(text, names=None, files=None):
    """Codes that are shown of `main.py`, with these names."""
    config = SHOWN if names is None else replace(SHOWN, names=read({"names": names}, "").names)
    return [code for _, _, code in found_in({"main.py": text, **(files or {})}, RULES, config)]


FOREIGN = net("mypkg.nn.MyBN(4)", imports="import mypkg.nn")
OWN_LAYER = {
    "ours/__init__.py": "from ours.norm import MyBN\n",
    "ours/norm.py": "import torch.nn as nn\n\n\nclass MyBN(nn.Module):\n    pass\n",
}
HOOKS = net() + (
    "from ours.engine import Trainer\n\n\nclass Mine(Trainer):\n    def __init__(self, path):\n        self.model = Net()\n"
    "        self.model.load_state_dict(torch.load(path))\n\n    def test(self, test_loader):\n        with torch.no_grad():\n"
    "            return [self.model(x) for x in test_loader]\n\n\ndef run(path, test_loader):\n    return Mine(path).test(test_loader)\n"
)
ENGINE = {"ours/engine.py": "import torch\n\n\nclass Trainer:\n    pass\n"}
MEANT = net("nn.Dropout(0.5)") + PREDICT.replace("    with torch", "    # an ensemble by thinning\n    with torch")
SCORE = net() + (
    "def rank(path, items):\n    model = Net()\n    model.load_state_dict(torch.load(path))\n"
    "    return [model(x).argmax(1) for x in items]\n"
)
PROBE = net() + FIT.replace("gallery", "test_replay")

CASES = [
    ("batch-norm", FOREIGN + PREDICT, ["mypkg.nn.MyBN"], {}, [], ["BN101"]),
    ("batch-norm", net("MyBN()", imports="from ours import MyBN") + PREDICT, ["ours.MyBN"], OWN_LAYER, [], ["BN101"]),
    ("dropout", net("mypkg.Thin(4)", imports="import mypkg") + PREDICT, ["mypkg.Thin"], {}, [], ["BN101"]),
    ("insensitive", net() + PREDICT, ["main.Net"], {}, ["BN101"], []),
    ("mode-frameworks", HOOKS, ["ours.engine"], ENGINE, ["BN101"], []),
    ("evaluation-loaders", net() + FIT, ["gallery"], {}, [], ["BN101"]),
    ("training-loaders", PROBE, ["replay"], {}, ["BN101"], []),
    ("evaluation-functions", SCORE, ["rank"], {}, [], ["BN101"]),
    ("intent", MEANT, ["Ensemble by"], {}, ["BN101"], []),
]  # fmt: skip


def test_every_kind_of_names_has_a_case():
    """A key that no case shows is not tested."""
    assert {case[0] for case in CASES} == set(KEYS)


@pytest.mark.parametrize(("key", "text", "names", "files", "without", "with_it"), CASES)
def test_a_name_changes_what_is_known(key, text, names, files, without, with_it):
    """Each kind of names adds or takes away what it says, and nothing is left of it in the next run."""
    assert codes(text, files=files) == without
    assert codes(text, {key: names}, files) == with_it
    assert codes(text, files=files) == without


KERAS = """\
import tensorflow as tf
from mypkg import MyBN


class Net(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.fc = tf.keras.layers.Dense(4)
        self.bn = MyBN()

    def call(self, x, training=None):
        return self.bn(self.fc(x), training=training)


def fit(data, opt, loss_fn):
    net = Net()
    for x, y in data:
        with tf.GradientTape() as tape:
            loss = loss_fn(y, net(x))
        opt.apply_gradients(zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables))
"""


def test_layers_of_keras_are_named_the_same_way():
    """One table for all frameworks."""
    assert codes(KERAS) == []
    assert codes(KERAS, {"batch-norm": ["mypkg.MyBN"]}) == ["BN202"]


@pytest.mark.parametrize("jobs", [-1, 1, 2])
def test_names_reach_the_processes_that_judge(tmp_path, jobs):
    """In this process, in one other, in several."""
    for number in range(4):
        (tmp_path / f"part{number}.py").write_text(FOREIGN + PREDICT)
    config = replace(SHOWN, jobs=jobs, names=(("batch-norm", ("mypkg.nn.MyBN",)),))
    assert [f.code for f in lint([tmp_path], config, RULES).findings] == ["BN101"] * 4
    assert lint([tmp_path], replace(SHOWN, jobs=jobs), RULES).findings == ()


def test_names_are_part_of_the_cache_key(tmp_path):
    """What was found with other names is not what is found now."""
    texts = read_all([Source("main.py", data=(FOREIGN + PREDICT).encode())], size_limit=10**6)
    named = replace(SHOWN, names=(("batch-norm", ("mypkg.nn.MyBN",)),))
    found = [
        {f.code for f in analyse(texts, config, RULES, cache=Cache(tmp_path)).found if f.code.startswith("BN1")}
        for config in (SHOWN, named, SHOWN, named)
    ]
    assert found == [set(), {"BN101"}, set(), {"BN101"}]


def test_the_command_line_reads_shows_and_refuses(tmp_path, monkeypatch, capsys):
    """From the file to the report; an unknown kind of names is an error with the nearest one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.py").write_text(FOREIGN + PREDICT)
    (tmp_path / "pyproject.toml").write_text("[tool.bnlint]\n")
    assert main([".", "--no-cache"]) == 0
    (tmp_path / "pyproject.toml").write_text('[tool.bnlint.names]\nbatch-norm = ["mypkg.nn.MyBN"]\n')
    assert main([".", "--no-cache"]) == 1
    capsys.readouterr()
    assert main(["--show-settings"]) == 0
    assert 'names = {"batch-norm" = ["mypkg.nn.MyBN"]}' in capsys.readouterr().out
    assert main(["explain", "--trace", "main.py:20"]) == 0
    assert "holds batch norm" in capsys.readouterr().out
    (tmp_path / "pyproject.toml").write_text('[tool.bnlint.names]\nbatchnorm = ["mypkg.nn.MyBN"]\n')
    assert main([".", "--no-cache"]) == 2
    assert "did you mean 'batch-norm'?" in capsys.readouterr().err
    (tmp_path / "pyproject.toml").write_text('[tool.bnlint.names]\nintent = [""]\n')
    assert main([".", "--no-cache"]) == 2
    assert "would mean every name" in capsys.readouterr().err


def test_the_language_server_uses_the_names_of_each_project(tmp_path):
    """Two documents of two projects, one with names: the other is not touched by them."""
    from bnlint.server.desk import Desk, Document

    plain, named = tmp_path / "plain", tmp_path / "named"
    for folder in (plain, named):
        folder.mkdir()
        (folder / "main.py").write_text(FOREIGN + PREDICT)
    (plain / "bnlint.toml").write_text("")
    (named / "bnlint.toml").write_text('[names]\nbatch-norm = ["mypkg.nn.MyBN"]\n')
    desk = Desk()
    files = [folder / "main.py" for folder in (plain, named)]
    documents = [Document(file.as_uri(), str(file), 1, FOREIGN + PREDICT) for file in files]
    found = []
    for document in (*documents, documents[0]):
        (seen,) = desk.look(documents, document.uri, anew=True)
        found.append([f.code for f in seen.findings])
    assert found == [[], ["BN101"], []]
