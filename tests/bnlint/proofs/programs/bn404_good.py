import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.bn(x))


def batches(count=8, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(16, 4, generator=rng) * 3 + 5, torch.randint(0, 2, (16,), generator=rng)) for _ in range(count)
    ]


def loader(train_set):
    return torch.utils.data.DataLoader(train_set, batch_size=16, shuffle=True, drop_last=True)


def measure():
    model = Net()
    x, y = (torch.cat(parts)[:33] for parts in zip(*batches(3), strict=True))
    try:
        for a, b in loader(torch.utils.data.TensorDataset(x, y)):
            F.cross_entropy(model(a), b).backward()
    except ValueError as error:
        return {"error": str(error).partition(",")[0]}
    return {"error": ""}
