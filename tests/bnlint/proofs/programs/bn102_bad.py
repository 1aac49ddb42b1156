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


def fit(epochs=3):
    torch.manual_seed(0)
    model = Net()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    modes, counts = [], []
    model.train()
    for epoch in range(epochs):
        for x, y in batches():
            opt.zero_grad()
            F.cross_entropy(model(x), y).backward()
            opt.step()
        modes.append(model.training)
        counts.append(model.bn.num_batches_tracked.item())
        model.eval()
        with torch.no_grad():
            for x, y in batches(2, seed=1):
                model(x)
    return {"modes": modes, "batches": counts}


def measure():
    return fit()
