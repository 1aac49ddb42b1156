import pytorch_lightning as pl
import torch
from net import Net
from torch import nn


class Classifier(pl.LightningModule):
    """The trainer switches modes around these steps."""

    def __init__(self):
        super().__init__()
        self.net = Net(10)

    def forward(self, x):
        """Scores of the classes."""
        return self.net(x)

    def training_step(self, batch, _index):
        """Loss of a batch."""
        images, labels = batch
        return nn.functional.cross_entropy(self(images), labels)

    def validation_step(self, batch, _index):
        """Nothing is to be switched here."""
        images, labels = batch
        self.log("accuracy", (self(images).argmax(1) == labels).float().mean())

    def configure_optimizers(self):
        """Plain descent."""
        return torch.optim.SGD(self.parameters(), 0.1)
