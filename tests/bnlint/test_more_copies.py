"""PyTorch: copies and averages of weights, checkpoints, and searches for batch norms."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

DEFAULT = Config(jobs=-1)
PROGRAM = """\
import copy
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))

    def forward(self, x):
        return self.body(x)


def train(loader, optimizer, args):
    net, ema = Net(), Net()
    ema.eval()
    net.train()
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimizer.step()
{body}
    return ema
"""


def reported(body, code):
    """Lines on which `code` is reported, if this stands in the loop."""
    text = PROGRAM.format(body="\n".join(f"        {line}" for line in body.splitlines()))
    return [text.splitlines()[n - 1].strip() for _, n, c in found_in({"t.py": text}, RULES, DEFAULT) if c == code]


ZIP = "for p, q in zip(ema.parameters(), net.parameters()):"
WITHOUT = [
    f"{ZIP}\n    p.data = 0.9 * p.data + 0.1 * q.data",
    f"{ZIP}\n    p.data.mul_(0.9).add_(0.1 * q.data)",
    f"{ZIP}\n    p.data.copy_(q.data)",
    "for q, p in zip(net.parameters(), ema.parameters()):\n    p.data.copy_(q.data)",
    "for (n, p), (k, q) in zip(ema.named_parameters(), net.named_parameters()):\n    p.data.copy_(q.data)",
]
WITH = [
    f"{ZIP}\n    p.data.copy_(q.data)\nfor p, q in zip(ema.buffers(), net.buffers()):\n    p.copy_(q)",
    f"{ZIP}\n    p.data.copy_(q.data)\nema.body[1].running_mean = net.body[1].running_mean",
    f"{ZIP}\n    p.data.copy_(q.data)\ntorch.optim.swa_utils.update_bn(loader, ema)",
    f"{ZIP}\n    p.data.copy_(q.data)\nema.load_state_dict(net.state_dict())",
    f"{ZIP}\n    p.data.copy_(q.data)\nsetattr(ema.body[1], 'running_mean', None)",
    f"{ZIP}\n    print(p.shape, q.shape)",
    f"{ZIP}\n    p.data.copy_(q.data)\n    q.data.copy_(p.data)",
    f"{ZIP}\n    q.requires_grad_(False)",
    "for p, q in zip(ema.parameters(), args.weights):\n    p.data.copy_(q)",
    "for pair in zip(ema.parameters(), net.parameters()):\n    pair[0].data.copy_(pair[1].data)",
    "for p in ema.parameters():\n    p.data.mul_(0.9)",
]


@pytest.mark.parametrize("body", WITHOUT)
def test_a_copy_of_parameters_leaves_the_statistics_behind(body):
    """Averages or plain copies, whichever network comes first."""
    assert reported(body, "BN304") == [body.splitlines()[0]]


@pytest.mark.parametrize("body", WITH)
def test_a_copy_with_buffers_or_no_copy_at_all_is_no_mistake(body):
    """Whoever touches the buffers anywhere knows of them."""
    assert reported(body, "BN304") == []


PARTIAL = [
    "torch.save(net.parameters(), args.path)",
    "torch.save(list(net.parameters()), args.path)",
    "torch.save(dict(net.named_parameters()), args.path)",
    "torch.save([p for p in net.parameters()], args.path)",
    "torch.save({n: p for n, p in net.named_parameters()}, args.path)",
]
WHOLE = [
    "torch.save(net.state_dict(), args.path)",
    "torch.save(net, args.path)",
    "torch.save([p for p in net.parameters() if p.requires_grad], args.path)",
    "torch.save({'net': net.state_dict(), 'step': 1}, args.path)",
    "torch.save(len(list(net.parameters())), args.path)",
]


@pytest.mark.parametrize("body", PARTIAL)
def test_a_checkpoint_of_parameters_holds_no_statistics(body):
    """As an iterator, a list, a dictionary or a comprehension."""
    assert reported(body, "BN308") == [body]


@pytest.mark.parametrize("body", WHOLE)
def test_a_checkpoint_of_everything_or_of_a_chosen_part_is_no_mistake(body):
    """Whoever chooses parameters by a condition saves a part on purpose."""
    assert reported(body, "BN308") == []


AVERAGED = "average = torch.optim.swa_utils.AveragedModel({})\naverage.update_parameters(net)"


@pytest.mark.parametrize(
    ("given", "lost"),
    [
        ("net", True),
        ("net, use_buffers=False", True),
        ("net, use_buffers=True", False),
        ("net, avg_fn=args.average", False),
        ("net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)", False),
        ("net, **args.options", False),
    ],
)
def test_an_average_over_a_run_needs_fresh_statistics(given, lost):
    """Of plain averages; buffers of exponential ones follow, and ``update_bn`` computes them anew."""
    assert bool(reported(AVERAGED.format(given), "BN305")) is lost
    after = AVERAGED.format(given) + "\ntorch.optim.swa_utils.update_bn(loader, average)"
    assert reported(after, "BN305") == []


NET = PROGRAM[: PROGRAM.index("def train(")]
EVALUATE = """\
def evaluate(model, loader):
    model.eval()
    with torch.no_grad():
        return [model(x) for x in loader]


"""
MAIN = """\
def main(train_loader, val_loader, opt, loss_fn):
    net, average = Net(), Net()
    for epoch in range(9):
        net.train()
        for x, y in train_loader:
            loss_fn(net(x), y).backward()
            opt.step()
            {step}
        {after}
        evaluate(average, val_loader)
"""
AVERAGE = """\
def average_into(one, two, alpha):
    for p, q in zip(one.parameters(), two.parameters()):
        p.data *= 1.0 - alpha
        p.data = p.data + q.data * alpha


"""
KEYED = """\
def accumulate(one, two, decay=0.999):
    mine = dict(one.named_parameters())
    theirs = dict(two.named_parameters())
    for name in mine.keys():
        mine[name].data.mul_(decay).add_(theirs[name].data, alpha=1 - decay)


"""
HELD = """\
class Ema:
    def __init__(self, net, average):
        self.net, self.average = net, average
        self.params = list(net.parameters())
        self.averaged = list(average.parameters())

    def step(self):
        for p, q in zip(self.params, self.averaged):
            q.mul_(0.99)
            q.add_(p * 0.01)
            p.mul_(0.9999)


"""
UPDATE = "def bn_update(loader, model):\n    model.train()\n    for x, _ in loader:\n        model(x)\n\n\n"
OTHERS = [
    (AVERAGE, "average_into(average, net, 0.1)", "p, q in zip"),
    (KEYED, "accumulate(average, net)", "for name in"),
    (HELD, "Ema(net, average).step()", "p, q in zip"),
]  # fmt: skip


def whole(copy, step, after="pass"):
    """Lines on which BN304 is reported of a program of functions."""
    text = NET + UPDATE + copy + EVALUATE + MAIN.format(step=step, after=after)
    return [text.splitlines()[n - 1] for _, n, c in found_in({"t.py": text}, RULES, DEFAULT) if c == "BN304"]


@pytest.mark.parametrize(("copy", "step", "line"), OTHERS, ids=["parameter", "by name", "lists of an object"])
def test_a_network_is_followed_from_the_copy_to_its_evaluation(copy, step, line):
    """By arguments, dictionaries and attributes; the function that evaluates it says eval()."""
    (found,) = whole(copy, step)
    assert line in found


@pytest.mark.parametrize(("copy", "step", "line"), OTHERS, ids=["parameter", "by name", "lists of an object"])
@pytest.mark.parametrize(
    "after",
    [
        "bn_update(train_loader, average)",
        "average.train()",
        "torch.optim.swa_utils.update_bn(train_loader, average)",
    ],
)
def test_statistics_that_are_made_anew_are_silent(copy, step, line, after):
    """Computed by a pass over training data, or learned by the copy itself."""
    assert whole(copy, step, after) == []


@pytest.mark.parametrize(
    ("copy", "step"),
    [
        (AVERAGE.replace("parameters()", "state_dict().values()"), "average_into(average, net, 0.1)"),
        (KEYED.replace("named_parameters()", "state_dict()"), "accumulate(average, net)"),
        (HELD.replace("parameters()", "state_dict().values()"), "Ema(net, average).step()"),
        (AVERAGE + AVERAGE.replace("parameters()", "buffers()").replace("average_into", "buffers_into"), "average_into(average, net, 0.1)"),
        (AVERAGE, "average_into(net, average, 0.1)"),
        (AVERAGE, "pass"),
    ],
)  # fmt: skip
def test_copies_that_take_the_statistics_along_or_train_their_target_are_silent(copy, step):
    """All of the state, a second function for the buffers, the network that is trained, a function nobody calls."""
    assert whole(copy, step) == []


FEDERATED = {
    "client.py": NET
    + "class Client:\n    def __init__(self):\n        self.model = Net()\n\n    def take(self, model):\n"
    "        for p, q in zip(model.parameters(), self.model.parameters()):\n            q.data = p.data.clone()\n\n"
    "    def test(self, test_loader):\n        self.model.eval()\n        return [self.model(x) for x in test_loader]\n",
    "average.py": "from client import Client\n\n\nclass Averaging(Client):\n    def fit(self, loader, opt, loss_fn):\n        self.model.train()\n"
    "        for x, y in loader:\n            loss_fn(self.model(x), y).backward()\n            opt.step()\n",
}


def test_a_client_that_trains_what_it_is_given_keeps_statistics_of_its_own():
    """The heir in another file calls train(); without it, the copy is only evaluated."""
    assert found_in(FEDERATED, RULES, DEFAULT) == []
    alone = {"client.py": FEDERATED["client.py"]}
    assert [code for _, _, code in found_in(alone, RULES, DEFAULT)] == ["BN304"]


PLAIN = (
    NET
    + "from torch.optim.swa_utils import {imports}\n\n\ndef main(net: Net, loader, train_one):\n    swa = AveragedModel(net)\n"
    "    for _ in range(9):\n        train_one(net, loader)\n        swa.update_parameters(net)\n{after}    torch.save(swa.state_dict(), 'swa.pt')\n"
)


def test_an_own_function_for_statistics_counts_when_it_is_used():
    """An import or a definition computes nothing."""
    used = PLAIN.format(imports="AveragedModel, update_bn", after="    update_bn(loader, swa)\n")
    renamed = PLAIN.format(imports="AveragedModel, update_bn as fresh", after="    fresh(loader, swa)\n")
    unused = PLAIN.format(imports="AveragedModel, update_bn", after="")
    found = [[c for _, _, c in found_in({"t.py": text}, RULES, DEFAULT)] for text in (used, renamed, unused)]
    assert found == [[], [], ["BN305"]]


MAKERS = [
    "class Norm(nn.BatchNorm1d):\n    def forward(self, x):\n        return super().forward(x)\n\n\nnet = nn.Sequential(nn.Linear(4, 4), Norm(4))\n",
    "from functools import partial\n\nnorm = partial(nn.BatchNorm1d, eps=1e-3)\nnet = nn.Sequential(nn.Linear(4, 4), norm(4))\n",
    "from inplace_abn import InPlaceABN\n\nnet = nn.Sequential(nn.Linear(4, 4), InPlaceABN(4))\n",
]


@pytest.mark.parametrize("maker", MAKERS, ids=["derived", "partial", "another package's"])
def test_a_checkpoint_of_parameters_loses_the_statistics_of_any_batch_norm(maker):
    """However the batch norm is made; a layer norm has none."""
    text = "import torch\nfrom torch import nn\n\n\n" + maker + "torch.save(dict(net.named_parameters()), 'net.pt')\n"
    found = [
        [c for _, _, c in found_in({"t.py": t}, RULES, DEFAULT)]
        for t in (text, text.replace("named_parameters", "state_dict"))
    ]
    assert found == [["BN308"], []]
