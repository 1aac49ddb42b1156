import copy
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.drop(self.bn(x)))


def batches(count=8, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(16, 4, generator=rng) * 3 + 5, torch.randint(0, 2, (16,), generator=rng)) for _ in range(count)
    ]


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("var", torch.ones(4))

    def forward(self, x):
        return F.batch_norm(x, self.mean, self.var, training=True)


def measure():
    model = Norm().eval()
    x, _ = batches(1)[0]
    model(x)
    return {"moved": model.mean.abs().max().item()}
