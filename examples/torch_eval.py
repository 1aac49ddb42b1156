"""A PyTorch classifier whose accuracy depends on who shares the batch.

pip install torch numpy && python torch_eval.py
"""

import numpy as np
import torch
from torch import nn


def make_data(seed, count=512):
    """Two classes in eight features, far from zero and on a large scale."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    features = 20 + 5 * rng.standard_normal((count, 8)) + 6 * labels[:, None]
    return torch.tensor(features, dtype=torch.float32), torch.tensor(labels)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(8)
        self.hidden = nn.Linear(8, 16)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(16, 2)

    def forward(self, x):
        return self.out(self.drop(torch.relu(self.hidden(self.norm(x)))))


def train(model, steps=200):
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    model.train()
    for step in range(steps):
        x, y = make_data(step, 64)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


@torch.no_grad()
def evaluate(model):
    """Accuracy on test data that comes class by class, as in a folder per class."""
    model.eval
    x, y = make_data(10_000)
    order = torch.argsort(y)
    hits = [(model(x[part]).argmax(1) == y[part]).float() for part in order.split(64)]
    return torch.cat(hits).mean().item()


def main():
    torch.manual_seed(0)
    model = Net()
    train(model)
    print(f"accuracy in evaluation: {evaluate(model):.2f}")


if __name__ == "__main__":
    main()
