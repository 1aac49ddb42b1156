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


def measure():
    torch.manual_seed(0)
    backbone, head = Net(), nn.Linear(2, 2)
    opt = torch.optim.SGD(head.parameters(), lr=0.1)
    for p in backbone.parameters():
        p.requires_grad = False
    backbone.train()
    head.train()
    for x, y in batches():
        opt.zero_grad()
        F.cross_entropy(head(backbone(x)), y).backward()
        opt.step()
    return {"moved": backbone.bn.running_mean.abs().max().item()}
