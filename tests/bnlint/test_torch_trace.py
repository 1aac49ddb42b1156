"""What the analysis of modes believes can be asked for, line by line."""

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
