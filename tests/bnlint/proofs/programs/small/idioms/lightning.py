import lightning as L
import torch
import torch.nn as nn


class Lit(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))

    def training_step(self, batch, idx):
        x, y = batch
        return nn.functional.mse_loss(self.net(x), y)

    def validation_step(self, batch, idx):
        x, y = batch
        self.log("val", nn.functional.mse_loss(self.net(x), y))
