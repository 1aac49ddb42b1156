"""Frameworks that switch modes around the code of their classes: nothing is said about what stands there."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

PROGRAM = """\
import torch
from torch import nn
{imported}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.bn(x))


class Mine({base}):
    def __init__(self):
        super().__init__()
        self.model = Net()
        self.model.train()

    def validate(self, val_loader):
        with torch.no_grad():
            return sum((self.model(x).argmax(1) == y).sum().item() for x, y in val_loader)


def main(val_loader):
    return Mine().validate(val_loader)
"""
LINE = "return sum((self.model(x).argmax(1) == y).sum().item() for x, y in val_loader)"
FRAMEWORKS = {
    "lightning": ("import lightning.pytorch as pl", "pl.LightningModule"),
    "lightning of old": ("from pytorch_lightning import LightningModule", "LightningModule"),
    "a callback of lightning": ("from pytorch_lightning.callbacks import Callback", "Callback"),
    "transformers": ("from transformers import Trainer", "Trainer"),
    "a trainer for sequences": ("from transformers import Seq2SeqTrainer", "Seq2SeqTrainer"),
    "a library that nobody knows": ("from swift.llm import DeepTrainer", "DeepTrainer"),
    "trl": ("from trl import SFTTrainer", "SFTTrainer"),
    "ignite": ("from ignite.engine import Engine", "Engine"),
    "catalyst": ("from catalyst import dl", "dl.Runner"),
    "fastai": ("from fastai.callback.core import Callback", "Callback"),
    "skorch": ("import skorch", "skorch.NeuralNetClassifier"),
    "composer": ("from composer.models import ComposerModel", "ComposerModel"),
    "poutyne": ("import poutyne", "poutyne.Model"),
    "mmengine": ("from mmengine.hooks import Hook", "Hook"),
}
UNMANAGED = {
    "a class of nobody's": ("", "object"),
    "accelerate, which switches nothing": ("from accelerate import Accelerator", "Accelerator"),
}


def reported(imported, base):
    """Lines and codes of the program with this base class."""
    text = PROGRAM.format(imported=imported, base=base)
    found = found_in({"t.py": text}, RULES, Config(jobs=-1))
    return [(text.splitlines()[line - 1].strip(), code) for _, line, code in found]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_code_of_a_framework_that_switches_modes_is_left_alone(name):
    """Whoever calls the method has put the network in the right mode."""
    assert reported(*FRAMEWORKS[name]) == []


@pytest.mark.parametrize("name", UNMANAGED)
def test_the_same_code_elsewhere_is_found(name):
    """Nobody sets the mode there."""
    assert reported(*UNMANAGED[name]) == [(LINE, "BN101")]
