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


def train_one(model, train_loader, opt):
    model.train()
    for x, y in train_loader:
        opt.zero_grad()
        F.cross_entropy(model(x), y).backward()
        opt.step()


def measure():
    torch.manual_seed(0)
    model = Net()
    opt = torch.optim.SGD(model.parameters(), lr=0.5)
    swa = torch.optim.swa_utils.AveragedModel(model)
    shifted = [(x - 20 * step, y) for step, (x, y) in enumerate(batches(2))]
    for batch in shifted:
        train_one(model, [batch] * 20, opt)
        swa.update_parameters(model)
    torch.optim.swa_utils.update_bn(shifted, swa)
    everything = torch.cat([x for x, _ in shifted])
    return {"apart": (swa.module.bn.running_mean - everything.mean(0)).abs().max().item()}
