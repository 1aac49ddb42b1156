"""Ways by which a momentum or an eps reaches a batch norm of PyTorch, and what looks like one of them."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

SHOWN = Config(jobs=-1)
HEAD = "import torch\nimport torch.nn as nn\nfrom functools import partial\n"


def places(text, **files):
    """Code and line of what is shown of `main.py`."""
    found = found_in({"main.py": HEAD + text, **{f"{name}.py": other for name, other in files.items()}}, RULES, SHOWN)
    return [(path, line, code) for path, line, code in found]


WAYS = [
    ("a class of settings", "class Config:\n    bn_momentum = 0.99\n\n\nbn = nn.BatchNorm2d(8, momentum=Config.bn_momentum)\n"),
    ("an object of settings", "class Config:\n    bn_momentum = 0.99\n\n\ncfg = Config()\nbn = nn.BatchNorm2d(8, momentum=cfg.bn_momentum)\n"),
    ("a dictionary of settings", "CONFIG = {'bn_momentum': 0.99}\nbn = nn.BatchNorm2d(8, momentum=CONFIG['bn_momentum'])\n"),
    ("a partial", "norm = partial(nn.BatchNorm2d, momentum=0.99)\nbn = norm(8)\n"),
    ("a dictionary of arguments", "kwargs = dict(momentum=0.99)\nbn = nn.BatchNorm2d(8, **kwargs)\n"),
    ("keywords handed on", "def norm(channels, **kwargs):\n    return nn.BatchNorm2d(channels, **kwargs)\n\n\nbn = norm(8, momentum=0.99)\n"),
    ("a dictionary handed on", "def norm(channels, kwargs=None):\n    return nn.BatchNorm2d(channels, **kwargs)\n\n\nbn = norm(8, dict(momentum=0.99))\n"),
    ("a default", "def norm(channels, momentum=0.99):\n    return nn.BatchNorm2d(channels, momentum=momentum)\n\n\nbn = norm(8)\n"),
    ("the layer as a parameter", "def block(norm_layer=nn.BatchNorm2d):\n    return norm_layer(8, momentum=0.99)\n"),
    ("the layer as a parameter with a late default", "def block(norm_layer=None):\n    if norm_layer is None:\n        norm_layer = nn.BatchNorm2d\n    return norm_layer(8, momentum=0.99)\n"),
    ("the layer from the caller", "def block(norm):\n    return norm(8, momentum=0.99)\n\n\nb = block(nn.BatchNorm2d)\n"),
    ("a subclass", "class Norm(nn.modules.batchnorm._BatchNorm):\n    pass\n\n\nbn = Norm(8, momentum=0.99)\n"),
    ("a subclass that hands it on", "class Base(nn.modules.batchnorm._BatchNorm):\n    def __init__(self, n, eps=1e-5, momentum=0.1):\n        super().__init__(n, eps=eps, momentum=momentum)\n\n\nclass Norm(Base):\n    pass\n\n\nbn = Norm(8, momentum=0.99)\n"),
    ("set in a loop over modules", "def fix(net):\n    for m in net.modules():\n        if isinstance(m, nn.BatchNorm2d):\n            m.momentum = 0.99\n"),
    ("set in a loop over classes' names", "def fix(m):\n    name = m.__class__.__name__\n    if name.find('BatchNorm') != -1:\n        m.momentum = 0.99\n"),
    ("set on an attribute", "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.bn = nn.BatchNorm2d(8)\n        self.bn.momentum = 0.99\n\n    def forward(self, x):\n        return self.bn(x)\n"),
    ("a registry", "norm_cfg = dict(type='SyncBN', momentum=0.99, eps=0.001)\n"),
    ("another package's layer", "from inplace_abn import InPlaceABN\nbn = InPlaceABN(8, momentum=0.99)\n"),
]  # fmt: skip


@pytest.mark.parametrize("text", [way[1] for way in WAYS], ids=[way[0] for way in WAYS])
def test_a_momentum_is_followed(text):
    """Keras' number is found on every way, PyTorch's is not reported on any."""
    assert {code for _, _, code in places(text)} == {"BN401"}
    assert places(text.replace("0.99", "0.01")) == []


SILENT = [
    ("an optimizer", "opt = torch.optim.SGD([], lr=1, momentum=0.99)\n"),
    ("a momentum encoder's own number", "class Moco:\n    def __init__(self):\n        self.momentum = 0.99\n        self.bn = nn.BatchNorm1d(8)\n"),
    ("one of two callers' layers", "def block(norm):\n    return norm(8, 0.9)\n\n\na = block(nn.BatchNorm2d)\nb = block(nn.GroupNorm)\n"),
    ("a question for something else", "def fix(m):\n    name = m.__class__.__name__\n    if name == 'SGD':\n        m.momentum = 0.99\n"),
    ("a dictionary that builds an optimizer", "optimizer = dict(type='SGD', lr=0.01, momentum=0.99)\n"),
    ("a scheduler of momentum", "def anneal(net, step):\n    for m in net.modules():\n        if isinstance(m, nn.BatchNorm2d):\n            m.momentum = max(0.5 * 0.5 ** step, 0.01)\n"),
    ("cumulative statistics", "bn = nn.BatchNorm2d(8, momentum=None)\n"),
    ("momentum 1 minus Keras'", "KERAS = 0.99\nbn = nn.BatchNorm2d(8, momentum=1 - KERAS)\n"),
    ("an eps of the caller's, small", "class Norm(nn.BatchNorm2d):\n    def __init__(self, n, eps=1e-3, momentum=0.1):\n        super().__init__(n, eps=eps, momentum=momentum)\n\n\nbn = Norm(8, 1e-4)\n"),
    ("arguments that a subclass does not use", "class Norm(nn.BatchNorm2d):\n    def __init__(self, n, momentum=0.1, eps=1e-3):\n        super().__init__(n)\n\n\nbn = Norm(8, 0.8)\n"),
]  # fmt: skip


@pytest.mark.parametrize("text", [way[1] for way in SILENT], ids=[way[0] for way in SILENT])
def test_what_looks_like_a_wrong_momentum_is_silent(text):
    """Nothing is guessed from a name."""
    assert places(text) == []


def test_an_eps_is_found_where_the_caller_gives_it():
    """In another file than the batch norm, and through a class that inherits the constructor."""
    norm = "import torch.nn as nn\n\n\nclass Base(nn.modules.batchnorm._BatchNorm):\n    def __init__(self, n, eps=1e-5, momentum=0.1):\n        super().__init__(n, eps=eps, momentum=momentum)\n\n\nclass Norm(Base):\n    pass\n"
    assert places("from norm import Norm\n\nbn = Norm(8, 0.8)\n", norm=norm) == [("main.py", 6, "BN402")]
    assert places("from norm import Norm\n\nbn = Norm(8, 1e-3, 0.01)\n", norm=norm) == []


@pytest.mark.parametrize("kinds", ["Norm", "(nn.BatchNorm2d, nn.GroupNorm)", "(Norm, nn.BatchNorm1d)"])
def test_searches_for_norms_of_the_project_are_searches_for_batch_norm(kinds):
    """A class that derives from a batch norm, alone or among other norms."""
    text = f"class Norm(nn.BatchNorm2d):\n    pass\n\n\ndef init(net):\n    for m in net.children():\n        if isinstance(m, {kinds}):\n            m.weight.data.fill_(1)\n"
    assert places(text) == [("main.py", 9, "BN405")]
    assert places(text.replace("children", "modules")) == []
