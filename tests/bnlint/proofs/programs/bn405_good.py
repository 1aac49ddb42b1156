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


def freeze(net):
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.eval()


def measure():
    model = nn.Sequential(nn.Sequential(nn.BatchNorm1d(4)), nn.Linear(4, 2))
    freeze(model)
    return {"frozen": not model[0][0].training}
