"""Lightning switches modes itself: what that means depends on its version."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

PROGRAM = """\
import lightning as L
import torch
import torchvision
from torch import nn


class Lit(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = torchvision.models.resnet18(weights="DEFAULT")
        self.backbone.requires_grad_(False)
        self.backbone.eval()
        self.head = nn.Linear(1000, 10)
{hook}
    def training_step(self, batch, index):
        x, y = batch
        return nn.functional.cross_entropy(self.head(self.backbone(x)), y)
"""
HOOK = """
    def on_train_epoch_start(self):
        self.backbone.eval()
"""
OVERRIDE = """
    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()
        return self
"""


def reported(hook, version):
    """Lines and codes, with this method in the class and this version in the configuration."""
    text = PROGRAM.format(hook=hook)
    config = Config(jobs=-1, target=(("lightning", version),) if version else ())
    return [(text.splitlines()[line - 1].strip(), code) for _, line, code in found_in({"t.py": text}, RULES, config)]


@pytest.mark.parametrize("version", ["2.1", "2.0.9", "1.9"])
def test_before_2_2_the_trainer_thaws_what_the_constructor_froze(version):
    """Its Trainer calls train() on the whole module before it fits."""
    assert reported("", version) == [("self.backbone.eval()", "BN306")]


@pytest.mark.parametrize("version", ["2.2", "2.5.1", "3", None])
def test_since_2_2_a_mode_that_was_set_stays(version):
    """And nobody is accused whose version is not known."""
    assert reported("", version) == []


@pytest.mark.parametrize("hook", [HOOK, OVERRIDE])
def test_a_hook_or_an_override_that_freezes_again_is_right(hook):
    """It runs after the Trainer's train()."""
    assert reported(hook, "2.1") == []
