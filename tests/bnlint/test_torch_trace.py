"""What the analysis of modes believes can be asked for, line by line."""

from pathlib import Path

import pytest

from bnlint.cli import main

NET = """\
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.bn(x)
"""
MAIN = """\
import torch

from net import Net


def score(model, loader):
    with torch.no_grad():
        return [model(x) for x in loader]


def test(path, test_loader):
    model = Net()
    model.load_state_dict(torch.load(path))
    return score(model.eval(), test_loader)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.bnlint]\n")
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "main.py").write_text(MAIN)
    monkeypatch.chdir(tmp_path)


def test_mode_layers_and_way_are_told(program, capsys):
    """The mode at a call in another function comes with what the network holds and where the mode was set."""
    assert main(["explain", "--trace", "main.py:8"]) == 0
    said = capsys.readouterr().out
    assert "model: in eval mode, holds BatchNorm1d" in said
    assert "main.py:14: eval: called" in said
    assert "main.py:14: called from" in said


def test_a_line_without_networks_says_so(program, capsys):
    """A line that calls no network is no error."""
    assert main(["explain", "--trace", "main.py:3"]) == 0
    assert "nothing is believed" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["main.py", "main.py:x", "gone.py:3"])
def test_a_wrong_place_is_refused(program, capsys, where):
    """A place without a line, or a file that is not there, is a wrong use."""
    assert main(["explain", "--trace", where]) == 2
    assert "expected" in capsys.readouterr().err


ROTATING = """\
import torch

from net import Net


def main(test_loader, train_loader, optimizer):
    first = Net()
    first.train()
    a, b, c, d = Net(), Net(), Net(), Net()
    e, f, g, h = Net(), Net(), Net(), Net()
    for x, _ in test_loader:
        first = a
        a, b, c, d, e, f, g, h = b, c, d, e, f, g, h, first
        h.eval()
        with torch.no_grad():
            print(first(x).argmax(1))
        first.train()
"""


def test_a_loop_that_does_not_settle_is_given_up_and_says_so(program, capsys):
    """What changes from round to round for too long is unknown: no finding, no end of time, and a word in the trace."""
    Path("rotating.py").write_text(ROTATING)
    assert main(["rotating.py", "--no-cache"]) == 0
    capsys.readouterr()
    assert main(["explain", "--trace", "rotating.py:16"]) == 0
    said = capsys.readouterr().out
    assert "rotating.py:11: this loop did not settle" in said
