"""``norm=nn.BatchNorm2d`` in a signature is a norm only where somebody may leave it."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

BLOCK = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, planes, norm=nn.BatchNorm2d):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, planes, 3), norm(planes)

    def forward(self, x):
        return self.norm(self.conv(x))
"""
NET = """

class Net(nn.Module):
    def __init__(self, {signature}):
        super().__init__()
        self.body = {body}

    def forward(self, x):
        return self.body(x)


def main(train_loader, test_loader):
    {before}
    net = {made}
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for epoch in range(9):
        for x, y in train_loader:
            loss = nn.functional.cross_entropy(net(x).mean((2, 3)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        correct = 0
        with torch.no_grad():
            for x, y in test_loader:
                correct += (net(x).mean((2, 3)).argmax(1) == y).sum().item()
        print("test accuracy", correct)
"""


def program(signature, body, made, before="pass"):
    """A training script whose evaluation forgets `eval()`."""
    return BLOCK + NET.format(signature=signature, body=body, made=made, before=before)


CHOICE = "norm = nn.InstanceNorm2d if len(train_loader) > 9 else nn.GroupNorm"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (program("norm=nn.BatchNorm2d", "Block(8, norm)", "Net()"), ["BN101"]),
        (program("norm=nn.BatchNorm2d", "Block(8, norm)", "Net(nn.BatchNorm2d)"), ["BN101"]),
        (program("norm=nn.BatchNorm2d, block=Block", "block(8, norm)", "Net()"), ["BN101"]),
        (program("norm", "Block(8, norm)", "Net(norm)", CHOICE), []),
        (program("norm=nn.BatchNorm2d", "Block(8, norm)", "Net(norm)", CHOICE), []),
        (program("norm=nn.BatchNorm2d, block=Block", "block(8, norm)", "Net(norm)", CHOICE), []),
    ],
)
def test_a_default_that_every_caller_replaces_is_no_norm(text, found):
    """What the callers give decides; a class that is handed on is called by somebody unknown."""
    assert [code for _, _, code in found_in({"train.py": text}, RULES, Config(jobs=-1))] == found
