import torch
from torch import nn


class Net(nn.Module):
    """A small network with a batch norm."""

    def __init__(self, classes: int):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.head = nn.Linear(16, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of the classes."""
        return self.head(self.norm(self.conv(x)).mean((2, 3)))
