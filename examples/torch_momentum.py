"""A PyTorch classifier with a momentum copied from Keras, where the word means the opposite.

pip install torch numpy && python torch_momentum.py
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
        self.norm = nn.BatchNorm1d(8, momentum=0.99)
        self.hidden = nn.Linear(8, 16)
        self.out = nn.Linear(16, 2)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(self.norm(x))))


def accuracy(model):
    x, y = make_data(10_000)
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    scores = []
    for step in range(400):
        x, y = make_data(step, 8)
        model.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if step >= 300:
            scores.append(accuracy(model))
    print(
        f"accuracy in evaluation: {np.mean(scores):.2f}, over 100 checkpoints from {min(scores):.2f} to {max(scores):.2f}"
    )


if __name__ == "__main__":
    main()
