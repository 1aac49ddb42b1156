"""A small classifier with batch norm."""

from torch import nn


def block(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, outputs, bias=False),
        nn.BatchNorm1d(outputs, momentum=0.99),
        nn.ReLU(),
    )


class Net(nn.Module):
    def __init__(self, features=8, classes=2):
        super().__init__()
        self.body = nn.Sequential(block(features, 32), block(32, 32))
        self.head = nn.Linear(32, classes)

    def forward(self, x):
        return self.head(self.body(x))
