"""PyTorch: the mode of a network on its way through branches, loops, blocks and copies."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in, report_on
from bnlint.rules.table import RULES

DEFAULT = Config(jobs=-1)
PROGRAM = """\
import contextlib
import copy
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.bn(x))


def train_epoch(model, loader, optimizer, criterion):
    model.train()
    for images, targets in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), targets)
        loss.backward()
        optimizer.step()


@contextlib.contextmanager
def evaluating(net):
    was = net.training
    net.eval()
    yield
    net.train(was)


def evaluate(model, loader, quick=False):
    correct = 0
{before}
    with torch.no_grad():
        for images, targets in loader:
            correct += (model(images).argmax(1) == targets).sum().item()
{after}
    return correct


def main(args, train_loader, val_loader):
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(args.epochs):
        train_epoch(model, train_loader, optimizer, nn.CrossEntropyLoss())
        print(epoch, evaluate(model, val_loader))
"""
SET = [
    ("model.eval()", ""),
    ("model.train(False)", ""),
    ("model.train(mode=False)", ""),
    ("was = model.training\nmodel.eval()", "model.train(was)"),
    ("if quick:\n    model.eval()\nelse:\n    model.eval()", ""),
    ("if model.training:\n    model.eval()", ""),
    ("try:\n    model.eval()\nfinally:\n    pass", ""),
    ("try:\n    model.eval()\nexcept RuntimeError:\n    raise\nelse:\n    pass", ""),
    ("with torch.autocast('cuda'):\n    model.eval()", ""),
    ("for part in [model]:\n    part.eval()", ""),
    ("for part in model.modules():\n    part.training = False", ""),
    ("while True:\n    model.eval()\n    break", ""),
    ("while quick:\n    if not loader:\n        continue\n    model.eval()\nelse:\n    model.eval()", ""),
    ("match quick:\n    case True:\n        model.eval()\n    case _:\n        model.eval()", ""),
    ("if 0:\n    model.train()\nelse:\n    model.eval()", ""),
    ("model = copy.deepcopy(model).eval()", ""),
    ("model = copy.deepcopy(model)\nmodel.eval()", ""),
    ("model = model.module if quick else model\nmodel.eval()", ""),
    ("assert model.eval() is model", ""),
    ("def quiet(net):\n    net.eval()\nquiet(model)", ""),
    ("models = {'a': model}\nmodels['a'].eval()", ""),
    ("modes = [part.eval() for part in (model,)]", ""),
    ("other_library.prepare_for_eval(model)", ""),
]
NOT_SET = [
    ("pass", ""),
    ("model.to('cpu')", ""),
    ("if quick:\n    return 0", ""),
    ("loader = list(loader)\ndel quick", ""),
    ("try:\n    model.cuda()\nexcept RuntimeError:\n    pass", ""),
    ("for part in [loader]:\n    print(part)", ""),
    ("while True:\n    print(model)\n    break", ""),
    ("assert model is not None", ""),
    ("other = copy.deepcopy(model)\nother.eval()", ""),
    ("other = Net().eval()", ""),
    ("if quick:\n    raise ValueError(quick)", ""),
    ("match quick:\n    case True:\n        print(model)\n    case _:\n        pass", ""),
    ("def quiet(net):\n    net.eval()", ""),
    ("def show(part):\n    print(part)\nmodel.apply(show)", ""),
]


def reported(before, after=""):
    """Codes at the call that evaluates, if this runs before and after it."""
    parts = ["\n".join(f"    {line}" for line in text.splitlines()) for text in (before, after)]
    text = PROGRAM.format(before=parts[0], after=parts[1])
    return [(text.splitlines()[line - 1].strip(), code) for _, line, code in found_in({"t.py": text}, RULES, DEFAULT)]


@pytest.mark.parametrize(("before", "after"), SET)
def test_a_network_that_is_or_may_be_in_eval_mode_is_no_mistake(before, after):
    """On every way, or by something that nobody can look into."""
    assert reported(before, after) == []


@pytest.mark.parametrize(("before", "after"), NOT_SET)
def test_a_network_that_stays_in_training_mode_is_found_behind_other_statements(before, after):
    """They do not touch its mode, whatever they do."""
    assert reported(before, after) == [("correct += (model(images).argmax(1) == targets).sum().item()", "BN101")]


def test_training_mode_that_the_evaluation_itself_sets_is_found_where_it_is_set():
    """It is one mistake, not two."""
    assert reported("model.to('cpu')\nmodel.train()") == [("model.train()", "BN104")]


def test_a_block_of_ones_own_puts_the_network_in_eval_mode_and_back():
    """A context manager that is given the network may do anything with it, inside."""
    body = "with evaluating(model):\n    with torch.no_grad():\n        for images, targets in loader:\n            correct += model(images).argmax(1).eq(targets).sum()\nreturn correct"
    assert reported(body) == []


def test_a_part_of_an_object_is_called_as_the_object_calls_it():
    """Whoever reads a message looks for ``self.net``, not for "the network"."""
    program = (
        "import torch\nfrom torch import nn\n\n\nclass Trainer:\n"
        "    def __init__(self, train_loader, val_loader):\n"
        "        self.net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4))\n"
        "        self.optimizer = torch.optim.Adam(self.net.parameters())\n"
        "        self.train_loader, self.val_loader = train_loader, val_loader\n\n"
        "    def fit(self):\n        for epoch in range(9):\n            self.train_epoch()\n            self.validate()\n\n"
        "    def train_epoch(self):\n        for x, y in self.train_loader:\n            self.optimizer.zero_grad()\n"
        "            (self.net(x) - y).mean().backward()\n            self.optimizer.step()\n\n"
        "    def validate(self):\n        self.net.eval()\n        with torch.no_grad():\n"
        "            return sum((self.net(x) - y).mean().item() for x, y in self.val_loader)\n\n\n"
        "Trainer([], []).fit()\n"
    )
    (finding,) = report_on({"train.py": program}, RULES, DEFAULT).findings
    assert finding.code == "BN102"
    assert finding.says.startswith("self.net is still in eval mode")
