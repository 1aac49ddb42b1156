"""Correct PyTorch programs that look like a mistake, rule by rule: what a reader of real code meets again and again."""

import pytest

from bnlint.examples import EVERYTHING, found_in
from bnlint.rules.table import RULES

HEAD = """\
import copy
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
        self.bn = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.bn(self.fc(x))


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)

    def forward(self, x):
        return self.norm(self.fc(x))


"""
STEP = "        for x, y in loader:\n            loss_fn(net(x), y).backward()\n            opt.step()\n"
SET_EVAL = "def set_bn_eval(m):\n    if m.__class__.__name__.find('BatchNorm') != -1:\n        m.eval()\n\n\n"
MODULE = "class Layer(nn.Module):\n    def forward(self, x):\n        {}\n"

TRAPS = [
    ("BN304", "a soft update of networks with layer norms", "class Agent:\n    def __init__(self):\n        self.online, self.target = Plain(), Plain()\n        self.target.eval()\n\n    def sync(self, tau):\n        for t, o in zip(self.target.parameters(), self.online.parameters()):\n            t.data.copy_(tau * o.data + (1 - tau) * t.data)\n"),
    ("BN304", "an average over the values of the state dictionary", "class Ema:\n    def __init__(self, net: Net):\n        self.ema = copy.deepcopy(net).eval()\n\n    def update(self, net):\n        for e, v in zip(self.ema.state_dict().values(), net.state_dict().values()):\n            if e.dtype.is_floating_point:\n                e.mul_(0.99).add_(v, alpha=0.01)\n"),
    ("BN304", "a target that is used in training mode", "class Byol:\n    def __init__(self):\n        self.online = Net()\n        self.target = copy.deepcopy(self.online)\n\n    def sync(self):\n        for t, o in zip(self.target.parameters(), self.online.parameters()):\n            t.data = t.data * 0.99 + o.data * 0.01\n\n    def loss(self, x):\n        with torch.no_grad():\n            aim = self.target(x)\n        return F.mse_loss(self.online(x), aim)\n"),
    ("BN304", "parameters that are counted, not copied", "def same(a: Net, b: Net):\n    b.eval()\n    for p, q in zip(a.parameters(), b.parameters()):\n        assert torch.equal(p, q)\n"),
    ("BN305", "an average of a network without batch norm", "def run(net: Plain, loader, one):\n    swa = torch.optim.swa_utils.AveragedModel(net)\n    for _ in range(9):\n        one(net, loader)\n        swa.update_parameters(net)\n    torch.save(swa.state_dict(), 'a.pt')\n"),
    ("BN305", "an average that is only loaded", "def load(net: Net, path):\n    swa = torch.optim.swa_utils.AveragedModel(net)\n    swa.load_state_dict(torch.load(path))\n    return swa.module.eval()\n"),
    ("BN305", "statistics by a function of one's own", "def bn_update(loader, net):\n    net.train()\n    for x in loader:\n        net(x)\n\n\ndef run(net: Net, loader, one):\n    swa = torch.optim.swa_utils.AveragedModel(net)\n    for _ in range(9):\n        one(net, loader)\n        swa.update_parameters(net)\n    bn_update(loader, swa)\n    torch.save(swa.state_dict(), 'a.pt')\n"),
    ("BN306", "frozen after each train()", SET_EVAL + "def fit(loader, opt, loss_fn):\n    net = Net()\n    for _ in range(9):\n        net.train()\n        net.apply(set_bn_eval)\n" + STEP),
    ("BN306", "frozen once, and trained without train()", SET_EVAL + "def fit(loader, opt, loss_fn):\n    net = Net()\n    net.train()\n    net.apply(set_bn_eval)\n    for _ in range(9):\n" + STEP),
    ("BN306", "a flag of layers for quantisation", "def fit(net: Net, loader, opt, loss_fn):\n    net.apply(torch.nn.intrinsic.qat.freeze_bn_stats)\n    for _ in range(9):\n        net.train()\n" + STEP),
    ("BN306", "a base's train() that keeps them frozen", "class Base(nn.Module):\n    def train(self, mode=True):\n        super().train(mode)\n        for m in self.modules():\n            if isinstance(m, nn.BatchNorm1d):\n                m.eval()\n        return self\n\n\nclass Deep(Base):\n    def __init__(self):\n        super().__init__()\n        self.bn = nn.BatchNorm1d(4)\n        self.freeze_bn()\n\n    def freeze_bn(self):\n        for m in self.modules():\n            if isinstance(m, nn.BatchNorm1d):\n                m.eval()\n\n    def forward(self, x):\n        return self.bn(x)\n\n\ndef fit(loader, opt, loss_fn):\n    net = Deep()\n    for _ in range(9):\n        net.train()\n" + STEP),
    ("BN307", "all of it in eval mode while it is trained", "def fit(loader, opt, loss_fn):\n    net = Net()\n    for p in net.bn.parameters():\n        p.requires_grad = False\n    net.eval()\n    for _ in range(9):\n" + STEP),
    ("BN307", "a frozen network without batch norm", "def fit(head, loader, opt, loss_fn):\n    back = Plain()\n    for p in back.parameters():\n        p.requires_grad = False\n    head.train()\n    for x, y in loader:\n        loss_fn(head(back(x)), y).backward()\n        opt.step()\n"),
    ("BN307", "channels that are scaled, not normalised", "class Affine(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n        self.weight = nn.Parameter(torch.ones(n))\n        for p in self.parameters():\n            p.requires_grad = False\n\n    def forward(self, x):\n        return x * self.weight\n\n\ndef fit(loader, opt, loss_fn):\n    net = Affine(4)\n    net.train()\n    for _ in range(9):\n" + STEP),
    ("BN307", "frozen for a program that only predicts", "def predict(path, loader):\n    net = Net()\n    net.load_state_dict(torch.load(path))\n    for p in net.parameters():\n        p.requires_grad = False\n    net.eval()\n    return [net(x) for x in loader]\n"),
    ("BN205", "the flag as third argument", MODULE.format("return F.dropout(x, 0.5, self.training)")),
    ("BN205", "the flag on the next line", MODULE.format("return F.dropout(\n            x, 0.5,\n            training=self.training,\n        )")),
    ("BN205", "a prenet", "class Prenet(nn.Module):\n    def forward(self, x):\n        return F.dropout(x, p=0.5, training=True)\n"),
    ("BN205", "Monte Carlo dropout", "class Uncertain(nn.Module):\n    def mc_dropout(self, x):\n        return F.dropout(x, 0.5)\n"),
    ("BN205", "another function of that name", "def dropout(x, p):\n    return x * p\n\n\n" + MODULE.format("return dropout(x, 0.5)")),
    ("BN205", "a helper that is given the flag", "def drop(x, p, training):\n    return F.dropout(x, p, training)\n"),
    ("BN205", "alpha dropout, which is off by default", MODULE.format("return F.alpha_dropout(x, 0.5)")),
    ("BN205", "under a question for the mode", MODULE.format("if self.training:\n            x = F.dropout(x, 0.5)\n        return x")),
    ("BN206", "the flag as sixth argument", MODULE.format("return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training, 0.1)")),
    ("BN206", "an instance norm by reshaping", "class AdaIN(nn.Module):\n    def forward(self, x):\n        b, c = x.shape[:2]\n        y = F.batch_norm(x.view(1, b * c, *x.shape[2:]), self.running_mean.repeat(b), self.running_var.repeat(b), None, None, True)\n        return y.view_as(x)\n"),
    ("BN206", "statistics that nobody keeps", MODULE.format("return F.batch_norm(x, torch.zeros(4), torch.ones(4), training=True)")),
    ("BN206", "a helper that is given the flag", "def norm(x, mean, var, training):\n    return F.batch_norm(x, mean, var, training=training)\n"),
    ("BN401", "a conversion in an attribute", "class Layer(nn.Module):\n    def __init__(self, params):\n        super().__init__()\n        self._momentum = 1 - params.momentum\n        self.bn = nn.BatchNorm2d(4, momentum=self._momentum, eps=1e-3)\n\n    def forward(self, x):\n        return self.bn(x)\n"),
    ("BN401", "a conversion of a known number", "class Layer(nn.Module):\n    def __init__(self, momentum=0.99):\n        super().__init__()\n        self._momentum = 1 - momentum\n        self.bn = nn.BatchNorm2d(4, momentum=self._momentum)\n\n    def forward(self, x):\n        return self.bn(x)\n"),
    ("BN401", "small numbers of PyTorch's convention", "".join(f"a{n} = nn.BatchNorm2d(4, momentum={value})\n" for n, value in enumerate((0.1, 0.01, 0.03, 0.001, 0.0003, None)))),
    ("BN401", "what the user says", "import argparse\n\nparser = argparse.ArgumentParser()\nparser.add_argument('--bn-momentum', type=float, default=0.1)\nargs = parser.parse_args()\nbn = nn.BatchNorm2d(4, momentum=args.bn_momentum)\n"),
    ("BN401", "an instance norm and an optimizer", "norm = nn.InstanceNorm2d(4, momentum=0.1)\nopt = torch.optim.SGD(Net().parameters(), 0.1, momentum=0.9)\n"),
    ("BN402", "eps and momentum by position", "bn = nn.BatchNorm1d(8, 1e-3, 0.01)\nother = nn.BatchNorm2d(8, 1e-5)\n"),
    ("BN403", "the bias is a question of the norm", "def block(bn):\n    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=not bn), nn.BatchNorm2d(8) if bn else nn.Identity())\n"),
    ("BN403", "something stands between them", "net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.BatchNorm2d(8))\n"),
    ("BN403", "the layer is used elsewhere, too", "class Shared(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.conv = nn.Conv2d(3, 3, 1)\n        self.bn = nn.BatchNorm2d(3)\n\n    def forward(self, x):\n        return self.bn(self.conv(x)) + self.conv(x)\n"),
    ("BN404", "short batches are dropped", "def loader(train_set):\n    return torch.utils.data.DataLoader(train_set, batch_size=32, shuffle=True, drop_last=True)\n"),
    ("BN404", "the loader is for evaluation", "def loader(test_set):\n    return torch.utils.data.DataLoader(test_set, batch_size=32)\n"),
    ("BN404", "a sampler of batches", "def loader(train_set, batches):\n    return torch.utils.data.DataLoader(train_set, batch_sampler=batches)\n"),
    ("BN405", "a search with apply()", "found = []\n\n\ndef look(m):\n    if isinstance(m, nn.BatchNorm2d):\n        found.append(m)\n\n\ndef search(net):\n    net.apply(look)\n"),
    ("BN405", "a recursion", "def search(net):\n    for child in net.children():\n        if isinstance(child, nn.BatchNorm2d):\n            child.eval()\n        else:\n            search(child)\n"),
    ("BN406", "the dropout stands behind", "net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5))\n"),
    ("BN312", "a checkpoint of a file", "def save(net: Net):\n    checkpoint = {'net': net.state_dict()}\n    torch.save(checkpoint, 'a.pt')\n"),
    ("BN314", "converted before it is wrapped", "def wrap(rank):\n    net = nn.SyncBatchNorm.convert_sync_batchnorm(Net())\n    return nn.parallel.DistributedDataParallel(net.to(rank), device_ids=[rank])\n"),
    ("BN308", "parameters of a network without batch norm among those of an optimizer", "def save(net: Net, opt):\n    torch.save({'net': net.state_dict(), 'opt': opt.state_dict()}, 'a.pt')\n"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text"), [(t[0], t[2]) for t in TRAPS], ids=[f"{t[0]} {t[1]}" for t in TRAPS])
def test_it_is_silent(code, text):
    """Also with everything switched on: findings of low confidence, and those for the pedantic."""
    found = [c for _, _, c in found_in({"main.py": HEAD + text}, RULES, EVERYTHING)]
    assert code not in found
