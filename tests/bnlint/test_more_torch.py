"""PyTorch: what a network holds, networks chosen by name, conditions on the mode, and overrides of ``train``."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in, report_on
from bnlint.rules.table import RULES

DEFAULT = Config(jobs=-1)


def reported(files, config=DEFAULT):
    """What is found: the line's text, and the code."""
    return [(files[path].splitlines()[line - 1].strip(), code) for path, line, code in found_in(files, RULES, config)]


TRAINED = """\
import copy
import torch
import torchvision
import torchvision.models as models
from torch import nn
{imports}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = {layer}
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.body(x))


def train_epoch(model, loader, optimizer, criterion):
    model.train()
    for images, targets in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), targets)
        loss.backward()
        optimizer.step()


def evaluate(model, loader):
    correct = 0
    with torch.no_grad():
        for images, targets in loader:
            correct += (model(images).argmax(1) == targets).sum().item()
    return correct


def main(args, train_loader, val_loader):
    {make}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(args.epochs):
        train_epoch(model, train_loader, optimizer, nn.CrossEntropyLoss())
        print(epoch, evaluate(model, val_loader))
"""
LOST = [("correct += (model(images).argmax(1) == targets).sum().item()", "BN101")]


def program(layer="nn.BatchNorm1d(8)", make="model = Net()", imports=""):
    """A training program whose evaluation sets no mode."""
    return {"main.py": TRAINED.format(layer=layer, make=make, imports=imports)}


SENSITIVE = [
    "nn.BatchNorm1d(8)",
    "nn.Dropout()",
    "nn.Dropout(0.2)",
    "nn.Sequential(nn.Linear(8, 8), nn.Dropout(p=0.1))",
    "nn.LSTM(8, 8, dropout=0.3)",
    "nn.TransformerEncoderLayer(8, 2)",
    "nn.TransformerEncoderLayer(8, 2, 32, 0.2)",
    "nn.MultiheadAttention(8, 2, 0.1)",
    "nn.InstanceNorm1d(8, track_running_stats=True)",
]
INSENSITIVE = [
    "nn.LayerNorm(8)",
    "nn.Dropout(0)",
    "nn.Dropout(p=0.0)",
    "nn.LSTM(8, 8)",
    "nn.LSTM(8, 8, dropout=0.0)",
    "nn.TransformerEncoderLayer(8, 2, dropout=0)",
    "nn.MultiheadAttention(8, 2)",
    "nn.InstanceNorm1d(8)",
    "nn.InstanceNorm1d(8, track_running_stats=False)",
    "nn.Sequential(nn.Linear(8, 8), nn.ReLU())",
]


@pytest.mark.parametrize("layer", SENSITIVE)
def test_a_network_with_a_mode_must_be_evaluated_in_eval_mode(layer):
    """Batch norms, dropouts, and layers with a dropout inside."""
    assert reported(program(layer)) == LOST


@pytest.mark.parametrize("layer", INSENSITIVE)
def test_a_network_that_is_alike_in_both_modes_needs_no_eval(layer):
    """Nothing in it drops anything or keeps statistics."""
    assert reported(program(layer)) == []


CHOSEN = [
    ("model = models.__dict__[args.arch]()", ""),
    ("model = getattr(models, args.arch)()", ""),
    ("model = torchvision.models.__dict__[args.arch](num_classes=10)", ""),
    ("table = {'a': Net, 'b': Net}\n    model = table[args.arch]()", ""),
    ("model = {'a': Net, 'b': Net}[args.arch]()", ""),
    ("model = TABLE[args.arch]()", "\n\nTABLE = {'a': lambda: Net(), 'b': torchvision.models.resnet18}"),
    ("build = Net if args.small else models.resnet18\n    model = build()", ""),
    ("model = (Net if args.small else models.resnet18)()", ""),
    ("model = pick(args.arch)()", "\n\ndef pick(name):\n    return {'a': Net, 'b': Net}[name]"),
    ("model = pick(args.arch)()", "\n\ndef pick(name):\n    return Net"),
    ("make = pick(args.arch)\n    model = make()", "\n\ndef pick(name):\n    return getattr(models, name)"),
]


@pytest.mark.parametrize(("make", "imports"), CHOSEN)
def test_a_network_that_is_chosen_by_name_is_one_of_those_there_are(make, imports):
    """``models.__dict__[arch]()``, tables, and functions that choose."""
    assert reported(program(make=make, imports=imports)) == LOST


NETS = """\
from torch import nn

__all__ = ["small", "large"]


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 10), {layer})

    def forward(self, x):
        return self.body(x)


def small():
    return Small()


def large():
    return Small()


def _private():
    return None
"""
IMPORTED = [
    ({"nets.py": ""}, "import nets", "nets.__dict__[args.arch]()"),
    ({"nets.py": ""}, "import nets", "getattr(nets, args.arch)()"),
    (
        {"nets/__init__.py": "from nets.small import *\n", "nets/small.py": ""},
        "import nets",
        "nets.__dict__[args.arch]()",
    ),
    (
        {"nets/__init__.py": "from .small import small, Small\n", "nets/small.py": ""},
        "import nets",
        "getattr(nets, args.arch)()",
    ),
]


@pytest.mark.parametrize(("files", "imports", "make"), IMPORTED)
def test_the_networks_of_a_module_of_ones_own_are_looked_up_there(files, imports, make):
    """Public functions and classes, own and imported; the layer inside decides."""

    def with_layer(layer):
        nets = {path: text or NETS.format(layer=layer) for path, text in files.items()}
        return {**nets, **program("nn.LayerNorm(8)", f"model = {make}", imports)}

    assert reported(with_layer("nn.BatchNorm1d(10)")) == LOST
    assert reported(with_layer("nn.ReLU()")) == []


def test_a_name_that_nobody_knows_says_nothing():
    """A registry of another package may hold anything."""
    make = "model = registry.lookup(args.arch)()"
    assert reported(program("nn.LayerNorm(8)", make, "from somewhere import registry")) == []


# --- functional dropout ---

DROPPED = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        x = self.fc(x)
{body}
        return x
"""
ALWAYS = [
    "x = F.dropout(x)",
    "if x.dim() == 2:\n    x = F.dropout(x)",
    "for _ in range(2):\n    x = F.dropout(x)",
    "with torch.autocast('cuda'):\n    x = F.dropout(x)",
    "try:\n    x = F.dropout(x)\nfinally:\n    pass",
    "if self.training:\n    x = x + 1\nx = F.dropout(x)",
    "x = F.dropout(x) if x.dim() == 2 else x",
    "x = x.dim() == 2 and F.dropout(x)",
    "match x.dim():\n    case 2:\n        x = F.dropout(x)",
]
ASKED = [
    "if self.training:\n    x = F.dropout(x)",
    "if not self.training:\n    x = x * 1\nelse:\n    x = F.dropout(x)",
    "if not self.training:\n    return x\nx = F.dropout(x)",
    "if self.training and x.dim() == 2:\n    x = F.dropout(x)",
    "for _ in range(2):\n    if self.training:\n        x = F.dropout(x)",
    "with torch.autocast('cuda'):\n    if self.training:\n        x = F.dropout(x)",
    "try:\n    x = x + 1\nexcept ValueError:\n    if self.training:\n        x = F.dropout(x)",
    "x = F.dropout(x) if self.training else x",
    "x = x if not self.training else F.dropout(x)",
    "x = self.training and F.dropout(x)",
    "match x.dim():\n    case 2:\n        if self.training:\n            x = F.dropout(x)",
    "x = F.dropout(x, training=self.training)",
]


def dropped(body):
    """Findings of a forward pass with these statements."""
    return reported({"net.py": DROPPED.format(body="\n".join(f"        {line}" for line in body.splitlines()))})


@pytest.mark.parametrize("body", ALWAYS)
def test_a_dropout_that_no_condition_on_the_mode_guards_is_always_on(body):
    """Other conditions, loops and blocks around it make no difference."""
    assert [code for _, code in dropped(body)] == ["BN205"]


@pytest.mark.parametrize("body", ASKED)
def test_a_dropout_behind_a_condition_on_the_mode_is_right_without_a_flag(body):
    """However the condition is written."""
    assert dropped(body) == []


# --- overrides of train ---

OVERRIDE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x):
        return self.bn(x)

{train}
"""
BROKEN = [
    ("def train(self, mode=True):\n    super().train(mode)\n    self.bn.eval()", "return self"),
    ("def train(self, mode=True):\n    nn.Module.train(self, mode)\n    self.bn.eval()", "return self"),
    ("def train(self, mode=True):\n    self.bn.eval()\n    return self", "super"),
    ("def train(self):\n    super().train()\n    self.bn.eval()\n    return self", "mode"),
]
WHOLE = [
    "def train(self, mode=True):\n    super().train(mode)\n    self.bn.eval()\n    return self",
    "def train(self, mode=True):\n    return nn.Module.train(self, mode)",
    "def train(self, mode=True):\n    self.training = mode\n    for part in self.children():\n        part.train(mode)\n    return self",
    "def train(self, mode=True):\n    self.training = mode\n    self.bn.training = False\n    return self",
    "def train(self, loader, optimizer):\n    for x in loader:\n        self(x).sum().backward()\n        optimizer.step()",
    "def train(self, data):\n    return self.fit(data)",
    "def train(self):\n    self.optimizer.zero_grad()\n    self.bn.train()\n    self.loss().backward()",
    "@property\ndef train(self):\n    return self.training",
    "train = nn.Module.train",
]


def overridden(train):
    """Findings of a class with this method."""
    return reported({"net.py": OVERRIDE.format(train="\n".join(f"    {line}" for line in train.splitlines()))})


@pytest.mark.parametrize(("train", "missing"), BROKEN)
def test_an_override_of_train_that_forgets_a_part_is_reported(train, missing):
    """What ``model.eval()`` and ``model.train().cuda()`` rely on."""
    text = OVERRIDE.format(train="\n".join(f"    {line}" for line in train.splitlines()))
    findings = report_on({"net.py": text}, RULES, DEFAULT).findings
    assert [(f.code, missing in f.says) for f in findings] == [("BN109", True)]


@pytest.mark.parametrize("train", WHOLE)
def test_an_override_that_is_whole_or_no_override_at_all_is_none(train):
    """A method named train that trains is not the mode switch."""
    assert overridden(train) == []


@pytest.mark.parametrize(
    ("bases", "found"),
    [("", []), ("(Hook)", []), ("(object)", []), ("(Unknown)", ["BN205"]), ("(nn.Module)", ["BN205"])],
)
def test_an_object_that_is_no_network_has_no_mode_to_follow(bases, found):
    """A hook drops what it is asked to; a class whose bases are not all known may be a network."""
    text = f"""
from torch import nn
from torch.nn import functional as F
from elsewhere import Unknown


class Hook:
    pass


class Skip{bases}:
    def new_forward(self, module, x):
        return F.dropout(module(x), p=0.5)
"""
    assert [code for _, code in reported({"hooks.py": text})] == found
